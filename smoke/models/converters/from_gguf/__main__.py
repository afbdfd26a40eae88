"""Start `convert.main` when the folder is run as a script: its parent becomes the place to import this package from."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    sys.exit(importlib.import_module(f"{folder.name}.convert").main(sys.argv[1:]))
