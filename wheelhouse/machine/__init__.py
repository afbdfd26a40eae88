"""What this computer is: system, processor, adapters, Pythons. Imports the rest of wheelhouse; never the other way."""
