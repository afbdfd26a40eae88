"""Tests of smoke/heal."""
