"""Lets `python -m data_prep` start the command line."""

import sys

from data_prep.cli import main

if __name__ == "__main__":
    sys.exit(main())
