"""Which GenAI runs on which ONNX Runtime? Every pair as a backend of its own, in one run; the answer is a table."""
