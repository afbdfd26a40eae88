"""What was typed, and what should happen? Help, values and errors of every task; knows Invoke, and no task."""
