"""`python -m sidecar`; also the frozen build's entry, run as a script: hence absolute imports."""

import sys

from sidecar.cli import main

sys.exit(main())
