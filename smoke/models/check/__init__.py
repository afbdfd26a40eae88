"""What does a model folder hold, and can it be what it says? Reads files, runs nothing; below what finds models."""
