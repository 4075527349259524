"""The output of a failed pip becomes one line with the next step."""

from __future__ import annotations

from pathlib import Path

import pip_errors
import pytest

RESET = "ERROR: Could not install packages due to an OSError: "


@pytest.mark.parametrize(
    ("output", "said"),
    (
        ("WARNING: Retrying ... NewConnectionError(': Failed to establish a new connection: "
         "[Errno 111] Connection refused')': /simple/x/\nERROR: No matching distribution found for"
         " x==1", "there is no network"),
        ("NameResolutionError(\"Failed to resolve 'index.example.org'\")", "there is no network"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "PIP_CERT"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "another"),
        (RESET + "[Errno 28] No space left on device", "the disk is full. Free 500 MB"),
        ("ERROR: Could not find a version that satisfies the requirement x==1 (from versions:"
         " none)\nERROR: No matching distribution found for x==1", "it does not know x==1"),
        ("ERROR: No matching distribution found for soupsieve==4.1.2", "no soupsieve==4.1.2 for"),
        ("Building wheel\nERROR: Failed building wheel for x\nnote: see above",
         "pip failed: ERROR: Failed building wheel for x. See /x/pip.log"),
        ("", "pip failed: no reason given. See /x/pip.log"),
    ),
)  # fmt: skip
def test_a_reason_is_found(output: str, said: str) -> None:
    line = str(pip_errors.explain(output.splitlines(), Path("/x/pip.log")))
    assert said in line and "\n" not in line and line.endswith(".")
