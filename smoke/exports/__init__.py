"""How a model becomes what a backend loads. Imports heal, models and environments; no backend."""
