"""How to start a Python with exactly these packages. Imports no backend and no model."""
