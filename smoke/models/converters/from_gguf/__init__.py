"""From GGUF to a Hugging Face folder, by one table for all architectures; what cannot be carried is refused by name.

`carrying.py` and what it needs is the standard library alone, for this program; `convert.py` runs in the main environment.
"""
