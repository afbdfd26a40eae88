"""Which operator is wrong: the first layer by which two backends part, and in it the first operator."""
