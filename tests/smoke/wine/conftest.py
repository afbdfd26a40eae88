"""The Wine runtime is a Linux program: what makes it and runs in it cannot even be imported on Windows."""

import sys

collect_ignore_glob = ["*"] if sys.platform == "win32" else []
