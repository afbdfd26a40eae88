"""What runs on another machine, out of a bundle. Imports the standard library only."""
