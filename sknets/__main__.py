"""``python -m sknets`` is the ``sknets`` command."""

import sys

from sknets.cli import main

if __name__ == "__main__":
    sys.exit(main())
