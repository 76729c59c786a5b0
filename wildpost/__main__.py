"""`python -m wildpost` runs the `wildpost` command."""

import sys

from wildpost.cli.main import main

sys.exit(main())
