"""`make lock`: pins the packages of every role, with hashes, in requirements/.

The packages and their ranges stand in tools/pyproject.toml. `uv` resolves them for the oldest
Python that is supported, and for every system at once. Versions that are locked already stay:
remove a line, or a whole file, to get the newest version of a package.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
LOCKS = TOOLS.parent / "requirements"
PYTHON_MIN = "3.11"
_HEADER = "# Written by `make lock` from tools/pyproject.toml.\n"
_UV = (
    "uv", "pip", "compile", "--quiet", "--universal", "--python-version", PYTHON_MIN,
    "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url",
)  # fmt: skip


def roles(table: dict) -> dict[str, list[str]]:  # type: ignore[type-arg]
    """The packages that each role asks for. `dev` comes first: it holds all the others."""
    base = table["project"]["dependencies"]
    extras = table["project"]["optional-dependencies"]
    build = base + extras["build"]
    sim = build + extras["sim"]
    return {
        "dev": sim + extras["backend"] + extras["postgresql"] + table["dependency-groups"]["dev"],
        "technician": base,
        "backend": extras["backend"],
        "postgresql": extras["backend"] + extras["postgresql"],
        "build": build,
        "sim": sim,
    }


def main() -> int:
    table = tomllib.loads((TOOLS / "pyproject.toml").read_text(encoding="utf-8"))
    for role, packages in roles(table).items():
        path = LOCKS / f"{role}.lock"
        same = [] if role == "dev" else ["--constraint", str(LOCKS / "dev.lock")]
        try:
            subprocess.run(
                [*_UV, *same, "--output-file", str(path), "-"],
                input="\n".join(packages), text=True, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            sys.exit("error: uv is missing. Run: pipx install uv, then the same command again.")
        except subprocess.CalledProcessError:
            sys.exit(f"error: uv cannot resolve the packages of '{role}', see above.")
        path.write_text(_HEADER + path.read_text(encoding="utf-8"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
