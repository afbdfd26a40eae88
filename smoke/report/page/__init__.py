"""How is a run shown to people? One page, its charts and sentences; `drawing.py` alone knows matplotlib, apart."""
