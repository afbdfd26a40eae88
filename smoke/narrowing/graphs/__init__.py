"""Reading and cutting ONNX graphs; started as `<python> smoke/narrowing/graphs JOB.json`.

Runs in an environment with onnx and tokenizers, and imports nothing of this project from outside this folder.
"""
