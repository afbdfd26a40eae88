"""How fast is it, beside what it stands on? Each row is measured in one run; nothing here is a test."""
