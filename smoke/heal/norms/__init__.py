"""Finding, measuring and rewriting the norms of an ONNX graph; started as `<python> smoke/heal/norms JOB.json`.

Runs in an environment with numpy, onnx-ir and ONNX Runtime, and imports nothing of this project from outside this
folder, so that the same files run wherever that Python is.
"""
