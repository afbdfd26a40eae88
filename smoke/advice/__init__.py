"""Which backend to take on this machine, and on what that rests. Imports backends and all below; runs no model."""
