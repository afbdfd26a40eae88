import sys
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))

import operator_shrink

DIMS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 200), min_size=1)


@given(DIMS, st.integers(0, 3000), st.integers(0, 30))
def test_what_is_found_still_fails_and_is_no_larger(dims, limit, tries):
    asked = []

    def fails(tried):
        asked.append(tried)
        return prod(tried.values()) > limit

    found = operator_shrink.smallest(dims, fails, tries=tries)
    assert found.keys() == dims.keys()
    assert all(1 <= found[name] <= dims[name] for name in dims)
    assert found == dims or prod(found.values()) > limit
    assert len(asked) <= tries


@given(DIMS)
def test_a_fault_that_no_size_matters_to_shows_at_one(dims):
    assert operator_shrink.smallest(dims, lambda _: True) == dict.fromkeys(dims, 1)


def test_sizes_at_which_nothing_is_defined_cost_nothing():
    def fails(tried):
        return None if tried["size"] % 8 else tried["size"] >= 16

    assert operator_shrink.smallest({"size": 64}, fails, tries=2) == {"size": 16}


@pytest.mark.parametrize("size", [1, 2, 3, 576])
def test_each_size_is_tried_once_smallest_first(size):
    asked = []
    operator_shrink.smallest({"a": size}, lambda dims: asked.append(dims["a"]) is not None)
    assert asked == sorted(set(asked))
    assert all(1 <= one < size for one in asked)
