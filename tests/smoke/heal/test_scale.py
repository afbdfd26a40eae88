from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.heal.norms.scale import (
    FP16_MAX,
    FP16_NORMAL,
    HEADROOM,
    LARGEST,
    choose,
    roomiest_scale,
    smallest_scale,
    starved,
    verdict,
)
from tests.smoke.heal.graphs import directml_rms_norm, rms_norm

squares = st.floats(min_value=1e-9, max_value=FP16_MAX**2, allow_nan=False)


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        (0.0, "safe"),
        (FP16_MAX / HEADROOM, "safe"),
        (FP16_MAX / HEADROOM * 1.001, "near"),
        (FP16_MAX, "near"),
        (FP16_MAX * 1.001, "overflows"),
        (math.inf, "infinite"),
        (math.nan, "infinite"),
    ],
)
def test_verdicts(demand: float, expected: str) -> None:
    assert verdict(demand) == expected


@given(squares)
def test_smallest_scale_is_sufficient_and_smallest(worst: float) -> None:
    scale = smallest_scale(worst)
    assert scale & (scale - 1) == 0
    assert 1 <= scale <= LARGEST
    if scale < LARGEST:
        assert worst * HEADROOM / scale**2 <= FP16_MAX
    if scale > 1:
        assert worst * HEADROOM / (scale / 2) ** 2 > FP16_MAX
    assert worst / scale**2 <= FP16_MAX  # the largest scale suffices for any finite row, though without headroom


def test_the_measured_model_gets_16() -> None:
    assert smallest_scale(1_346_814) == 16


@given(squares, squares)
def test_roomiest_scale_starves_no_row_that_need_not_be(worst: float, least: float) -> None:
    worst, least = max(worst, least), min(worst, least)
    scale = roomiest_scale(worst, least)
    needed = max(2, smallest_scale(worst))
    assert needed <= scale <= LARGEST
    assert scale == needed or not starved(least, scale)


@given(squares, squares)
def test_modes(worst: float, least: float) -> None:
    worst, least = max(worst, least), min(worst, least)
    found = verdict(worst)
    assert choose("never", found, worst=worst, least=least, present=1) == 1
    assert choose("auto", "wide", worst=worst, least=least, present=1) == 1
    auto = choose("auto", found, worst=worst, least=least, present=1)
    assert (auto == 1) == (found == "safe")
    assert choose("always", found, worst=worst, least=least, present=1) >= max(2, auto)


@given(squares)
def test_a_healed_norm_needs_nothing_more(worst: float) -> None:
    scale = smallest_scale(worst)
    after = worst / scale**2
    assert choose("auto", verdict(after), worst=after, least=after, present=scale) == 1
    if scale > 1:
        assert choose("always", verdict(after), worst=after, least=after, present=scale) == 1


@given(
    width=st.integers(16, 600),
    exponent=st.floats(-1.5, 3.5),
    spike=st.floats(0, 60000),
    epsilon=st.sampled_from([1e-5, 1e-6, 1e-12]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_chosen_scale_makes_directml_right(
    width: int, exponent: float, spike: float, epsilon: float, seed: int
) -> None:
    """Rows of any size, in DirectML's arithmetic as measured: right with the scale, where the scale starves no row."""
    row = np.random.default_rng(seed).standard_normal(width) * 10.0**exponent
    row[seed % width] += spike
    x = np.clip(row, -FP16_MAX, FP16_MAX).astype(np.float16)[None]
    square = float((x.astype(np.float64) ** 2).mean())
    scale = choose("auto", verdict(square), worst=square, least=square, present=1)
    wanted = rms_norm(x, np.ones(width), epsilon)
    got = directml_rms_norm(x * np.float16(1 / scale), epsilon / scale**2)
    assert not starved(square, scale)
    assert np.abs(got - wanted).max() <= 2e-3 * np.abs(wanted).max()


def test_without_a_scale_directml_is_wrong_where_the_verdict_says_so() -> None:
    for amplitude, expected in ((6000.0, "near"), (6300.0, "overflows"), (20000.0, "overflows")):
        x = np.full((1, 576), 0.5, np.float16)
        x[0, 7] = amplitude
        square = float((x.astype(np.float64) ** 2).mean())
        wanted = rms_norm(x, np.ones(576), 1e-5)
        error = np.abs(directml_rms_norm(x, 1e-5) - wanted).max() / wanted.max()
        assert verdict(square) == expected
        assert (error > 1e-2) == (expected == "overflows")


def test_a_scale_too_large_is_called_starved_where_it_does_harm() -> None:
    x = np.random.default_rng(0).standard_normal((1, 576)).astype(np.float16) * np.float16(0.01)
    square = float((x.astype(np.float64) ** 2).mean())
    wanted = rms_norm(x, np.ones(576), 1e-5)
    for scale in (1, 64):
        got = directml_rms_norm(x * np.float16(1 / scale), 1e-5 / scale**2)
        error = np.abs(got - wanted).max() / np.abs(wanted).max()
        assert starved(square, scale) == (scale == 64)
        assert (error > 1e-2) == (scale == 64)
    assert not starved(0.0, 64)
    assert starved(FP16_NORMAL * 0.9, 2)
