"""Installs the pip of the wheel beside this file: what `python -m ensurepip` is in a whole Windows Python.

The embeddable distribution has no ensurepip. venv starts it as `python -m ensurepip --upgrade --default-pip`; both say
what is done here anyway.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Let the wheel's own pip install it."""
    wheel = next(Path(__file__).parent.glob("pip-*.whl"))
    sys.path.insert(0, str(wheel))
    options = ["--no-index", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    sys.argv = ["pip", "install", *options, "--find-links", str(wheel.parent), "pip"]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
