"""Whether a model compiles for an Intel NPU, found out with Intel's own compiler and without an NPU. See docs/npu.md"""
