"""A Python file that the package carries along."""
