"""Whether the long forms of the tests run: `TALLYPOST_LONG=1 make test`."""

import os

LONG = "TALLYPOST_LONG" in os.environ
