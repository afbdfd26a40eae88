from pathlib import Path

import pytest

from smoke.backends import registry, selection
from smoke.exports.making import EXPORTS
from smoke.parity import gates
from tests.smoke import fakes
from wheelhouse.errors import UsageError

KNOWN = (
    fakes.backend("late", fakes.variant("v", against="base:x")),
    fakes.backend("base", fakes.variant("x"), fakes.variant("gpu", device="GPU", if_present=True)),
    fakes.reference(),
)


def names(*wanted, everything=False, wheels=()):
    return [item.name for item in selection.select(wanted, everything=everything, wheels=wheels, known=KNOWN)]


def test_what_is_compared_with_runs_first_whatever_the_order():
    assert names("late") == ["reference:fp32", "base:x", "late:v"]
    assert names(everything=True) == ["reference:fp32", "base:x", "late:v"]


def test_a_variant_can_be_named_and_a_device_only_by_name():
    assert names("base:x") == ["reference:fp32", "base:x"]
    assert names("base:gpu") == ["reference:fp32", "base:gpu"]
    assert names("base", "base:gpu") == ["reference:fp32", "base:x", "base:gpu"]
    assert names("reference") == ["reference:fp32"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bsae", "There is no backend 'bsae'. Did you mean 'base'?"),
        ("zzzz", "Known: base, late, reference."),
        ("", "There is no backend ''."),
        ("base:", None),
        ("base:gqu", "Backend 'base' has no variant 'gqu'. Did you mean 'gpu'?"),
        ("base:x:y", "no variant 'x:y'"),
    ],
)
def test_unknown_names_offer_the_nearest(name, words):
    if words is None:
        assert names(name) == ["reference:fp32", "base:x"]
        return
    with pytest.raises(UsageError) as caught:
        names(name)
    assert words in str(caught.value)


def test_wheels_go_where_they_belong():
    mine = Path("mine-1.0-py3-none-any.whl")
    planned = selection.select(["base"], everything=False, wheels=[mine], known=KNOWN)
    assert [item.wheels for item in planned] == [(mine,), (mine,)]
    with pytest.raises(UsageError, match="takes the wheel other"):
        names("base", wheels=[Path("other-1.0-py3-none-any.whl")])


def test_a_circle_is_a_mistake_of_ours():
    circle = (
        fakes.reference(),
        fakes.backend("a", fakes.variant("x", against="a:y"), fakes.variant("y", against="a:x")),
    )
    with pytest.raises(ValueError, match="circle"):
        selection.select(["a"], everything=False, known=circle)


def test_present_devices_add_variants_once():
    planned = selection.select(["base"], everything=False, known=KNOWN)
    assert [item.name for item in selection.present(planned, ["GPU.0", "CPU"])] == ["base:gpu"]
    assert selection.present([*planned, *selection.present(planned, ["GPU"])], ["GPU"]) == []
    assert selection.present(planned, ["CPU", "NPU"]) == []


def test_the_real_catalogue_holds_together():
    planned = selection.select([], everything=True)
    assert planned[0].name == registry.REFERENCE
    everything = {f"{b.name}:{v.name}" for b in registry.BACKENDS for v in b.variants}
    for backend in registry.BACKENDS:
        assert backend.summary
        assert backend.engine.parent == registry.WORKER
        for variant in backend.variants:
            assert variant.against in everything
            assert variant.export in {"", *EXPORTS}
    assert len({b.name for b in registry.BACKENDS}) == len(registry.BACKENDS)


@pytest.mark.parametrize(
    ("wheel", "backends"),
    [
        ("onnxruntime_genai-0.15.2-cp311-cp311-linux_x86_64.whl", ["ort-cpu"]),
        ("onnxruntime_ep_webgpu-0.4.0-py3-none-win_amd64.whl", ["webgpu"]),
        ("onnxruntime_genai_directml-0.14.1+x-cp312-cp312-win_amd64.whl", ["dml", "webgpu-wine"]),
        ("onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl", ["dml", "webgpu-wine"]),
    ],
)
def test_real_wheels_are_routed_by_their_package(wheel, backends):
    assert [b.name for b in registry.BACKENDS if b.source.takes(Path(wheel))] == backends


def test_every_gate_in_use_can_be_read_back_from_a_kept_dump():
    used = {variant.gate for backend in registry.BACKENDS for variant in backend.variants}
    assert used == set(gates.ALL)
