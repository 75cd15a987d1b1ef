"""Runs `python -m sidecar`, and the frozen build, which starts this file as a script.

A script cannot use relative imports: so the imports here are absolute.
"""

import sys

try:
    from sidecar.cli import main

    sys.exit(main())
except KeyboardInterrupt:  # Ctrl-C while the modules load: nothing runs yet
    sys.exit(130)
