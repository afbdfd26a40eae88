"""Planted operators, searched for by real workers."""

import shutil

import pytest

from smoke.models.resolving import resolve
from smoke.narrowing import what_was_found
from smoke.narrowing.bisecting import Request, bisect, searched
from smoke.narrowing.explaining import Explaining
from smoke.narrowing.sides import prepare
from tests.smoke.narrowing.plants import OPENVINO, PLANTS
from tests.smoke.narrowing.spelled_out import spelled_out
from wheelhouse.errors import ParityError

MODEL = "tiny-phi3"


@pytest.mark.integration
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_operator_is_named_exactly(plant, tmp_path):
    variant = f"ort-cpu:{plant.kind.removeprefix('cpu-')}"
    left, right = (tmp_path / name for name in ("sound", "planted"))
    shutil.copytree(prepare(variant, resolve(MODEL)).folder, left)
    if plant.spelled:
        spelled_out(left)
    shutil.copytree(left, right)
    plant.plant(right)
    with searched(Request(model=MODEL, left=f"{variant}={left}", right=f"{variant}={right}")) as (search, found):
        assert found.culprit is not None
        assert found.culprit.unit.name == plant.operator
        assert plant.said in "\n".join(what_was_found.told(search.tools, found))


@pytest.mark.integration
def test_a_defect_is_told_as_a_fault(tmp_path, capsys):
    plant = PLANTS[0]
    folder = tmp_path / "planted"
    shutil.copytree(prepare("ort-cpu:fp32", resolve(MODEL)).folder, folder)
    plant.plant(folder)
    with pytest.raises(ParityError, match=r"layers.0/input_layernorm"):
        bisect(Request(model=MODEL, left="ort-cpu:fp32", right=f"ort-cpu:fp32={folder}"))
    assert "is wrong on right inputs" in capsys.readouterr().out


@pytest.mark.integration
def test_operators_that_are_divided_otherwise_are_not_accused(tmp_path):
    folder = tmp_path / "spelled-out"
    shutil.copytree(prepare("ort-cpu:fp32", resolve(MODEL)).folder, folder)
    spelled_out(folder)
    with searched(Request(model=MODEL, left="ort-cpu:fp32", right=f"ort-cpu:fp32={folder}")) as (_, found):
        assert found.culprit is None
        assert found.logits is not None
        assert not found.logits.is_wrong
        assert found.logits.apart.error > 0


@pytest.mark.integration
@pytest.mark.parametrize("plant", OPENVINO, ids=lambda plant: plant.name)
def test_a_block_planted_in_a_model_of_openvino_is_named(plant, tmp_path):
    folder = tmp_path / "planted"
    shutil.copytree(prepare(plant.kind, resolve(MODEL), is_right=True).folder, folder)
    plant.plant(folder)
    with searched(Request(model=MODEL, left="ort-cpu:fp32", right=f"{plant.kind}={folder}")) as (search, found):
        assert found.culprit is not None
        assert found.culprit.unit.name == plant.operator
        assert plant.said in "\n".join(what_was_found.told(search.tools, found))
        explained = Explaining(search=search, found=found, culprit=found.culprit, out=tmp_path / "repro").explain()
        assert list(explained.reproduced.values()) == [True]
        assert (tmp_path / "repro" / "operator.xml").is_file()


@pytest.mark.integration
def test_a_healthy_model_of_openvino_is_not_accused():
    with searched(Request(model=MODEL, left="ort-cpu:fp32", right="openvino:fp16")) as (_, found):
        assert found.culprit is None
        assert not found.parts
        assert len(found.plan.units) >= 18


@pytest.mark.integration
@pytest.mark.parametrize(("left", "right"), [("fp32", "dml-fp16"), ("fp32", "int4"), ("dml-fp16", "dml-int4")])
def test_healthy_graphs_are_not_accused(left, right):
    with searched(Request(model=MODEL, left=f"ort-cpu:{left}", right=f"ort-cpu:{right}")) as (_, found):
        assert found.culprit is None
