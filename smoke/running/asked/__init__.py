"""What is every backend asked besides the prompts? Texts, conversations, a long context."""
