"""Proofs that are not one model on one backend: operators on DirectML, Intel's NPU compiler. The top wing."""
