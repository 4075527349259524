"""`python -m tallypost`: the command of cli.py."""

import sys

from tallypost.cli import main

sys.exit(main())
