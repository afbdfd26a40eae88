"""What goes into ORT_HOME, and whether it is whole. Imports spec and sources; not what builds or packs."""
