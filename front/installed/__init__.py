"""What is wrong with the ONNX Runtime of an environment? Read from its files, of any system; nothing of it is run."""
