"""Downloads what a causal language model needs from the Hugging Face hub, at one commit.

Stand-alone: started as `python hub_download.py OWNER/NAME FOLDER REVISION` in an environment with huggingface_hub.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download

PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.py"]
"""No *.bin: a pickle may run code, and a model whose weights are only that cannot be checked without running it."""


def main() -> None:
    """Download and note the commit."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    commit = HfApi().model_info(name, revision=sys.argv[3], timeout=30).sha
    print(f"{name} at {commit}", flush=True)
    snapshot_download(name, revision=commit, local_dir=folder, allow_patterns=PATTERNS, max_workers=4)
    (folder / "commit.json").write_text(json.dumps({"id": name, "commit": commit}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
