"""`python -m governance`: the same as `gov`."""

import sys

from governance.cli import main

if __name__ == "__main__":
    sys.exit(main())
