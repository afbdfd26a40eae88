"""A twin takes steps together, and shows the same rows, piece by piece."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))

import engine_transformers
import engine_twin


@given(st.lists(st.integers(1, 700), max_size=40))
def test_groups_hold_every_piece_in_its_order_and_few_tokens(sizes):
    groups = engine_twin.together(sizes)
    assert [size for group in groups for size in group] == sizes
    assert all(sum(group) <= engine_twin.TOGETHER or len(group) == 1 for group in groups)
    assert all(sum(one) + other[0] > engine_twin.TOGETHER for one, other in itertools.pairwise(groups))


@pytest.mark.parametrize("sizes", [[5], [3, 1, 1, 1], [600, 1, 1, 300, 1], []])
def test_rows_are_those_of_the_pieces(monkeypatch, sizes):
    taken = []

    def pieces(_self, ids, whole):
        position = 0
        for size in whole:
            taken.append(size)
            yield np.asarray(ids[position : position + size])[:, None]
            position += size

    monkeypatch.setattr(engine_transformers.TransformersEngine, "pieces", pieces)
    ids = list(range(sum(sizes)))
    blocks = list(engine_twin.TwinEngine(None, None, []).pieces(ids, sizes))
    assert [len(block) for block in blocks] == sizes
    assert [int(i) for block in blocks for i in block[:, 0]] == ids
    assert len(taken) == len(engine_twin.together(sizes))
