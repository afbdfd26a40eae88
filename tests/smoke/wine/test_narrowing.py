"""`invoke bisect` on DirectML: `pytest -m wine` after `invoke wine-setup`, as root."""

import shutil

import numpy as np
import pytest

from smoke.backends.registry import BACKENDS
from smoke.models.resolving import resolve
from smoke.narrowing import what_was_found
from smoke.narrowing.bisecting import Request, searched
from smoke.narrowing.explaining import Explaining
from smoke.narrowing.sides import prepare
from tests.smoke.defects.graphs import changed

pytestmark = pytest.mark.wine
MODEL = "tiny-phi3"
LARGE = np.float16(2500)
"""What one channel of the residual stream is made to be: its mean square over 64 channels passes fp16's maximum."""


def one_large_channel(table):
    table[:, 5] = LARGE


def test_a_norm_that_overflows_on_directml_is_named_with_a_repro_that_fails_only_there(tmp_path):
    dml = next(backend for backend in BACKENDS if backend.name == "dml")
    if not dml.source.status().ready:
        pytest.skip(dml.source.status().reason)
    folder = tmp_path / "large"
    shutil.copytree(prepare("ort-cpu:dml-fp16", resolve(MODEL), stable_norms="never").folder, folder)
    changed(one_large_channel, "embed_tokens")(folder)
    left, right = f"ort-cpu:dml-fp16={folder}", f"dml:fp16={folder}"
    with searched(Request(model=MODEL, left=left, right=right)) as (search, found):
        assert found.culprit is not None
        assert found.culprit.unit.name == "/model/layers.0/input_layernorm/LayerNorm"
        explained = Explaining(search=search, found=found, culprit=found.culprit, out=tmp_path / "repro").explain()
        said = what_was_found.explained(search.tools, found.culprit, explained)
    assert explained.reproduced == {left: False, right: True}
    assert explained.right is not None
    assert 1800 < explained.right.largest < explained.wrong.largest <= LARGE
    assert f"  the same operator on {left}: right" in said
