"""Where sources and dependencies come from, and how they are pinned. Imports spec; not what builds or packs."""
