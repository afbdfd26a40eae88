import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from smoke.parity import distances
from smoke.parity.distances import ForeignModelError, NotFiniteError
from smoke.parity.dumps import DumpError, open_logits


def save(path, values):
    save_file({"logits": np.asarray(values, dtype="<f4")}, path)
    return open_logits(path)


def naive(ours, golden):
    """Return the same measures by their definitions, in float64 and in one piece."""
    ours, golden = np.asarray(ours, "f4").astype("f8"), np.asarray(golden, "f4").astype("f8")

    def log_softmax(x):
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    a, b = log_softmax(ours), log_softmax(golden)
    kl = (np.exp(b) * (b - a)).sum(axis=1)
    error = (ours - ours.mean(axis=1, keepdims=True)) - (golden - golden.mean(axis=1, keepdims=True))
    power = ((golden - golden.mean(axis=1, keepdims=True)) ** 2).sum()
    mine, best, rows = ours.argmax(axis=1), golden.argmax(axis=1), np.arange(len(ours))
    top = min(10, ours.shape[1])
    shared = [
        len(set(np.argsort(-x)[:top]) & set(np.argsort(-y)[:top])) / top for x, y in zip(ours, golden, strict=True)
    ]
    return {
        "max_abs": abs(ours - golden).max(),
        "mean_abs": abs(ours - golden).mean(),
        "nmse": (error**2).sum() / power,
        "kl": kl.mean(),
        "kl_max": kl.max(),
        "top1": (ours.argmax(axis=1) == golden.argmax(axis=1)).mean(),
        "top1_margin": (golden[rows, best] - golden[rows, mine]).max() / np.sqrt(power / ours.size),
        "top10": np.mean(shared),
        "spread": np.sqrt(power / ours.size),
    }


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 30),
    vocabulary=st.integers(2, 3000),
    noise=st.sampled_from([0.0, 1e-5, 1e-3, 0.1, 1.0, 10.0]),
    shift=st.sampled_from([0.0, 50.0]),
)
@example(seed=34, rows=1, vocabulary=2, noise=1.0, shift=0.0)
@example(seed=850, rows=1, vocabulary=2, noise=1.0, shift=0.0)
def test_block_by_block_equals_the_definitions(tmp_path_factory, seed, rows, vocabulary, noise, shift):
    random = np.random.default_rng(seed)
    golden = (random.normal(size=(rows, vocabulary)) * 4).astype("f4")
    ours = (golden + noise * random.normal(size=golden.shape) + shift).astype("f4")
    folder = tmp_path_factory.mktemp("dump")
    found = distances.compare_logits([save(folder / "a.safetensors", ours)], [save(folder / "b.safetensors", golden)])
    assert found.positions == rows
    # A divergence is what remains of differences that cancel out where one token is certain: known to a rounding of
    # the largest of them, in float32.
    cancelled = 4 * float(np.finfo("f4").eps) * float(np.abs((ours - shift) - golden).max())
    for name, value in naive(ours, golden).items():
        # What a shift by 50 loses of float32's digits is no error of the measure.
        tolerance = (1e-9 if not shift else 1e-5) + (cancelled if name.startswith("kl") else 0.0)
        assert getattr(found, name) == pytest.approx(value, rel=2e-3, abs=tolerance), name
    assert found.kl >= 0
    assert found.kl_max >= found.kl * 0.999


def test_equal_logits_are_at_distance_zero(tmp_path):
    logits = save(tmp_path / "a.safetensors", np.random.default_rng(0).normal(size=(5, 700)))
    found = distances.compare_logits([logits], [logits])
    assert (found.max_abs, found.nmse, found.kl, found.top1, found.top10) == (0, 0, 0, 1, 1)


def test_enormous_logits_do_not_overflow(tmp_path):
    golden = np.zeros((3, 50))
    ours = golden.copy()
    ours[:, 7] = 3e4
    found = distances.compare_logits(
        [save(tmp_path / "a.safetensors", ours)], [save(tmp_path / "b.safetensors", golden)]
    )
    assert found.kl == pytest.approx(3e4, rel=0.05)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_never_averaged_away(tmp_path, value):
    golden = np.random.default_rng(0).normal(size=(40, 900))
    ours = golden.copy()
    ours[39, 899] = value
    files = [save(tmp_path / "a.safetensors", ours)], [save(tmp_path / "b.safetensors", golden)]
    with pytest.raises(NotFiniteError):
        distances.compare_logits(*files)
    with pytest.raises(NotFiniteError):
        distances.leaders(files[0][0])


def test_leaders(tmp_path):
    best, second, margins, squares = distances.leaders(save(tmp_path / "a.safetensors", [[0, 3, 1], [5, 4.5, 0]]))
    assert (best, second, margins) == ((1, 0), (2, 1), (2, 0.5))
    assert squares == pytest.approx(
        sum((x - 4 / 3) ** 2 for x in (0, 3, 1)) + sum((x - 9.5 / 3) ** 2 for x in (5, 4.5, 0))
    )


def test_other_shapes_are_named(tmp_path):
    base = save(tmp_path / "a.safetensors", np.zeros((4, 6)))
    with pytest.raises(ForeignModelError, match="7 tokens"):
        distances.compare_logits([save(tmp_path / "b.safetensors", np.zeros((4, 7)))], [base])
    with pytest.raises(DumpError, match="5 rows instead of 4"):
        distances.compare_logits([save(tmp_path / "b.safetensors", np.zeros((5, 6)))], [base])
