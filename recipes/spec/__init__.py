"""What is wanted: what a recipe may say, the platform, what the command line adds. Imports wheelhouse only."""
