"""What runs inside: as process 1 of the namespaces, and in Wine's Python. Imports the standard library only."""
