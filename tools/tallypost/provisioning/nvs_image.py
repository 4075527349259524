"""Makes the NVS partition of a board, in the order in which it may safely be written.

The bytes come from ESP-IDF's own generator. Entries stand in the order in which they are given,
and pages are written from the first to the last: whoever stops in between has everything up to
there and nothing of what follows.
"""

from __future__ import annotations

import io

from esp_idf_nvs_partition_gen import nvs_partition_gen as generator

from tallypost.faults import ToolError
from tallypost.provisioning.nvs_reader import PAGE, Contents

_PAGES_MIN = 3  # of ESP-IDF; the largest identity fits then


def make(contents: Contents, size: int) -> bytes:
    """A partition of `size` bytes; raises ToolError when that cannot be one, or is too small."""
    if size % PAGE or size < _PAGES_MIN * PAGE:  # the generator pads some without an end
        raise ToolError(f"an NVS partition of {size} bytes", "wanted: 3 or more times 4096")
    output = io.BytesIO()
    nvs = generator.nvs_open(output, size - PAGE, version=generator.Page.VERSION2)
    try:
        for namespace, entries in contents.items():
            nvs.write_namespace(namespace)
            for name, value in entries.items():
                if isinstance(value, int):
                    nvs.write_entry(name, value, "i32")
                else:
                    nvs.write_entry(name, value.hex(), "hex2bin")
        generator.nvs_close(nvs)
    except generator.InsufficientSizeError as error:
        raise ToolError(f"an NVS partition of {size} bytes is too small for this") from error
    image = output.getvalue()
    if len(image) != size:
        raise ToolError(f"NVS image of {len(image)} bytes for a partition of {size}")
    return image
