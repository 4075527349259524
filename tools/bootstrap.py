"""Set-up of a checkout, called by make: `python3 tools/bootstrap.py --role ROLE --board BOARD`.

This file is plain enough for any Python, so that an old one ends in a line and not in a traceback.
The steps are in environment.py.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "error: this is Python %d.%d, Tallypost needs Python 3.11 or newer."
        " Run: make setup PYTHON=/usr/bin/python3 (or another Python of your system)"
        % sys.version_info[:2]
    )

import environment

sys.exit(environment.main())
