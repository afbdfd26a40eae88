"""What the Wine runtime is put together from. Each part is a step; `setup` orders them."""
