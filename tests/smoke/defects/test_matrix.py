"""Defects and healthy variations, planted by code into a real model, run by real workers, judged as `smoke` judges."""

import pytest

from tests.smoke.defects import table
from tests.smoke.defects.catalogue import ASKED, DEFECTS, HEALTHY
from wheelhouse.paths import ROOT


@pytest.mark.integration
def test_every_defect_is_caught_by_a_gate_that_names_it_and_no_healthy_variation_is(tmp_path):
    rows = list(table.measured("tiny-phi3", tmp_path, table.MODELS["tiny-phi3"]))
    missed = [row for row in rows if not row.right]
    assert missed == []
    assert len([row for row in rows if row.healthy]) >= 20


def test_the_documentation_has_every_defect_and_every_variation():
    documented = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
    for name in [*(defect.name for defect in DEFECTS), *HEALTHY, *ASKED]:
        assert f"| {name} |" in documented


def test_no_two_defects_have_one_name():
    names = [*(defect.key for defect in DEFECTS), *HEALTHY, *ASKED]
    assert len(set(names)) == len(names)
