"""`python -m lorry` is `lorry`."""

import sys

from lorry.app import main

sys.exit(main())
