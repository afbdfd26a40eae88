"""How a run goes: jobs, workers, judging. Imports every wing but the suites."""
