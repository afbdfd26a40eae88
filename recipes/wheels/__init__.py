"""How a wheel is made from files, named, audited, placed and indexed. Imports audit, bill and spec; not building."""
