import sys

import pytest

from front.benching.timing import Row, interleaved, run
from wheelhouse.errors import StepFailedError


def test_actions_alternate():
    order = []
    medians = interleaved([lambda: order.append("a"), lambda: order.append("b")], rounds=3)
    assert order == ["a", "b"] * 3
    assert len(medians) == 2
    assert all(spent.cpu >= 0 and spent.half[0] <= spent.wall <= spent.half[1] for spent in medians)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"unit": "s", "value": 0.2, "limit": 0.2}, ("≤ 0.2 s", "0.20 s", "met")),
        ({"unit": "s", "value": 0.21, "limit": 0.2}, ("≤ 0.2 s", "0.21 s", "missed")),
        ({"unit": "times", "value": 5.0, "limit": 5.0, "least": True}, ("≥ 5", "5.00 times", "met")),
        ({"unit": "times", "value": 4.9, "limit": 5.0, "least": True}, ("≥ 5", "4.90 times", "missed")),
        ({"unit": "s", "value": 7.0}, ("none", "7.00 s", "no target")),
        ({"unit": "s", "limit": 1.0, "skipped": "no compiler"}, ("≤ 1 s", "-", "not measured")),
    ],
)
def test_a_row_against_its_target(given, expected):
    row = Row(name="n", what="w", **given)
    assert (row.target, row.said, row.verdict) == expected


def test_a_program_that_fails_is_an_error_with_its_last_words(tmp_path):
    failing = [sys.executable, "-c", "import sys; print('out'); sys.exit('it broke')"]
    with pytest.raises(StepFailedError, match="ended with 1: it broke"):
        run(failing, tmp_path)
    assert run(failing, tmp_path, check=False).strip() == "out"


def test_a_program_is_run_with_the_given_variables(tmp_path):
    assert run([sys.executable, "-c", "import os; print(os.environ['X'])"], tmp_path, env={"X": "y"}).strip() == "y"
