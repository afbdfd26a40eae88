"""How artifacts are proven: models, exports, environments, backends, the worker, parity, verdicts, reports."""
