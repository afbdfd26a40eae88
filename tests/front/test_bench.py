from front.bench import Ratio, interleaved_medians


def test_ratio_is_subject_over_baseline() -> None:
    assert Ratio(subject="a", baseline="b", seconds=3.0, baseline_seconds=2.0, limit=2.0).value == 1.5


def test_actions_alternate() -> None:
    order: list[str] = []
    medians = interleaved_medians([lambda: order.append("a"), lambda: order.append("b")], rounds=3)
    assert order == ["a", "b"] * 3
    assert len(medians) == 2
    assert all(seconds >= 0 for seconds in medians)
