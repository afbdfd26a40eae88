"""A run that is divided among machines is the same run: nothing is left out, nothing done twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.backends import selection, sharding
from smoke.backends.registry import BACKENDS
from smoke.backends.sharding import Shard, divided, parse, part
from smoke.backends.variants import REFERENCE
from wheelhouse.errors import UsageError

NAMES = [f"{backend.name}:{variant.name}" for backend in BACKENDS for variant in backend.variants]
PLANS = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(lambda n: selection.select(n, everything=False))
EVERYTHING = selection.select([], everything=True)


@given(plan=PLANS, machines=st.integers(1, 12))
def test_the_parts_are_disjoint_and_complete(plan, machines):
    shares = divided(plan, machines)
    assert len(shares) == machines
    everything = [name for share in shares for name in share]
    assert len(everything) == len(set(everything))
    assert {*everything, REFERENCE} == {item.name for item in plan}


@given(plan=PLANS, machines=st.integers(1, 12))
def test_each_part_is_a_plan_of_its_own(plan, machines):
    order = [item.name for item in plan]
    exports = []
    for number in range(1, machines + 1):
        share = part(plan, Shard(number=number, of=machines))
        names = [item.name for item in share]
        assert names[0] == REFERENCE
        assert names == [name for name in order if name in names]
        assert all(item.variant.against in names for item in share)
        exports += {item.variant.export for item in share if item.variant.export}
    assert len(exports) == len(set(exports))  # none is made on two machines


@given(plan=PLANS, machines=st.integers(1, 6), order=st.randoms())
def test_the_order_of_the_names_does_not_matter(plan, machines, order):
    shuffled = list(plan)
    order.shuffle(shuffled)
    assert divided(shuffled, machines) == divided(plan, machines)


@pytest.mark.parametrize("machines", [2, 3, 4])
def test_the_parts_take_about_as_long(machines):
    items = {item.name: item for item in EVERYTHING}
    costs = [sharding.cost([items[name] for name in share]) for share in divided(EVERYTHING, machines)]
    units = [sharding.cost(unit) for unit in ([i for i in EVERYTHING if i.variant.export == kind] for kind in
             {i.variant.export for i in EVERYTHING})]  # fmt: skip
    assert max(costs) <= max(max(units), sum(costs) / machines * 1.25)


def test_more_machines_than_work_leave_some_with_the_reference_alone():
    plan = selection.select(["ort-cpu:fp32"], everything=False)
    assert [[i.name for i in part(plan, Shard(number=n, of=3))] for n in (1, 2, 3)] == [
        [REFERENCE, "ort-cpu:fp32"],
        [REFERENCE],
        [REFERENCE],
    ]


def test_what_was_measured_is_there():
    assert set(sharding.WORKERS) <= set(NAMES)
    assert set(sharding.EXPORTS) <= {variant.export for backend in BACKENDS for variant in backend.variants}


@pytest.mark.parametrize("text", ["1/1", "2/3", "100/100", "007/12"])
def test_a_part_is_read(text):
    number, of = text.split("/")
    assert parse(text) == Shard(number=int(number), of=int(of))


@pytest.mark.parametrize(
    "text",
    ["0/3", "4/3", "1", "1/", "/3", "a/b", "1/3/3", "-1/3", "1/0", "1/101", " 1/3", "1 / 3", "1/3\n", "\u0661/3"],
)
def test_what_is_no_part_is_refused(text):
    with pytest.raises(UsageError, match="--shard is"):
        parse(text)


def test_what_cannot_be_divided_is_refused_beside_it():
    assert sharding.wanted("", {"--pairs": True}) is None
    assert sharding.wanted("1/2", {"--pairs": False}) == Shard(number=1, of=2)
    with pytest.raises(UsageError, match="does not go with --baseline"):
        sharding.wanted("1/2", {"--pairs": False, "--baseline": True})
