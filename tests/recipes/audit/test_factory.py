"""The wheels that the other tests start from are clean: what they report later comes from the defect alone."""

import pytest

from recipes.audit import audit_wheels

from .factory import GENAI, LINUX, LINUX_RUNTIME, PLAIN, RUNTIME, make

STATED = {"windows-version"}  # a fact that wheels with DirectML or D3D12Core always state


@pytest.mark.parametrize(
    ("spec", "stated"),
    [(PLAIN, set()), (GENAI, STATED), (RUNTIME, STATED), (LINUX, set()), (LINUX_RUNTIME, set())],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_a_healthy_wheel_has_no_finding(tmp_path, spec, stated):
    assert {f.rule for f in audit_wheels([make(tmp_path, spec)], online=False)} == stated


@pytest.mark.parametrize("pair", [(GENAI, RUNTIME), (LINUX, LINUX_RUNTIME)], ids=["windows", "linux"])
def test_a_healthy_pair_has_no_finding(tmp_path, pair):
    found = audit_wheels([make(tmp_path, spec) for spec in pair], pair=True, online=False)
    assert {f.rule for f in found} <= STATED
