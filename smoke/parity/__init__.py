"""How far apart two dumps are, and what verdict that is. Pure functions of dumps: imports no other wing."""
