"""The front door: the command line's errors, `doctor`, `clean`, `bench`. Knows every package; none knows it."""
