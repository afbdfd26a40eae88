"""What a run says of itself, and in which forms. Imports parity only."""
