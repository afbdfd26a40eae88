"""From GGUF to a Hugging Face folder, by one table for all architectures; what cannot be carried is refused by name.

This program uses `carrying.py`, which needs the standard library alone; the main environment runs `convert.py`.
"""
