"""Does this project run on Windows? Whole Windows Pythons in Wine, with the checkout installed as users do it."""
