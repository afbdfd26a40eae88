"""Are there newer wheels than a published recipe pins, and what would a pair of them be? Writes the new pins."""
