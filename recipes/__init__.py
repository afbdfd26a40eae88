"""How artifacts are made: pinned recipes, sources, staging, building, packing, auditing."""
