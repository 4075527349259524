"""Makes the NVS partition of a board, in an order that is safe to write.

The bytes come from ESP-IDF's own generator. Entries keep the order in which they are given, and
pages are written from the first to the last. If the writing stops in between, the board has all
entries up to that point and none of the later ones.
"""

from __future__ import annotations

import io

from esp_idf_nvs_partition_gen import nvs_partition_gen as generator

from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.nvs.nvs_reader import PAGE, Contents

_PAGES_MIN = 3  # of ESP-IDF; the largest identity fits then


def make(contents: Contents, size: int) -> bytes:
    """A partition of `size` bytes. Raises ToolError if the size is wrong or too small."""
    if size % PAGE or size < _PAGES_MIN * PAGE:  # the generator pads some sizes endlessly
        what = _("an NVS partition cannot have {size} bytes")
        raise ToolError(what.format(size=size), _("Use a multiple of 4096, 3 times or more."))
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
        what = _("an NVS partition of {size} bytes is too small for the identity")
        raise ToolError(what.format(size=size), _("Enlarge 'nvs' in partitions.csv.")) from error
    image = output.getvalue()
    if len(image) != size:
        raise AssertionError(f"NVS image of {len(image)} bytes for a partition of {size}")
    return image
