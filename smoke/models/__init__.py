"""Where a model comes from, and whether its folder is whole. Imports environments; not what exports or runs it."""
