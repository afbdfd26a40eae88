"""Scripts that make a Hugging Face folder, and `converter`, which starts them. The scripts import nothing of ours."""
