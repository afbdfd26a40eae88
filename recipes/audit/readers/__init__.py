"""What is in a wheel: archive, METADATA, PE and ELF files. Knows no rule."""
