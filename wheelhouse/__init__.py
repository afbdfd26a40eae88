"""What `recipes` and `smoke` both need: errors, processes, steps, files, locks, the console, strict TOML."""
