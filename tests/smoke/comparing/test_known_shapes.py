"""Files of other programs, in the shapes that they write."""

import json

import pytest

from smoke.comparing import known_shapes
from wheelhouse.errors import InputError

GOLDEN = {"What?": "The answer is 42.", "Why?": "Because."}


def row(file, content):
    file.write_bytes(content.encode())
    (found,) = known_shapes.section([file], GOLDEN).rows
    return found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_answers_are_compared_with_the_reference_s(tmp_path, end):
    text = 'prompts,answers,language\n"What?","The answer is 42.\n",en\nWhy?,"Because, \n of it.",en\nWho?,Me,en\n'
    assert row(tmp_path / "target.csv", text.replace("\n", end)) == (
        "target.csv",
        "3 answers",
        "2 of 2",
        "1 of 2",
        "71%",
        "",
        "",
    )


def test_a_table_per_question_is_read_too(tmp_path):
    text = ",similarity,prompt,source_model,optimized_model\n0,0.97,Why?,Because of it.,Because.\n"
    assert row(tmp_path / "metrics.csv", text)[2:5] == ("1 of 2", "1 of 1", "100%")


def bench(**changes):
    def iteration(number, first, later):
        return {
            "iteration": number, "input_size": 32, "infer_count": 64, "generation_time": 1.2, "latency": 18.0,
            "first_latency": first, "second_avg_latency": later, "result_md5": ["0" * 32], "prompt_idx": 0,
        }  # fmt: skip

    times = [iteration(0, 900.0, 400.0), iteration(1, 80.0, 20.0), iteration(2, 100.0, 25.0), iteration(3, 90.0, "")]
    content = {
        "metadata": {"model": "smollm2", "framework": "ov", "device": "CPU", "precision": "FP16", "num_beams": 1},
        "perfdata": {"compile_time": 1.5, "results": times, "results_averaged": {}},
    }
    return json.dumps(content | changes)


def test_times_are_medians_of_warm_iterations(tmp_path):
    assert row(tmp_path / "r.json", bench()) == (
        "r.json", "smollm2 ov CPU FP16, 3 iterations", "", "", "", "90 ms", "44.4"
    )  # fmt: skip
    assert row(tmp_path / "s.json", bench(perfdata={"results": []}))[5:] == ("", "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"x,y\n1,2\n"),
        ("a.csv", b""),
        ("a.csv", b'prompts,answers\n"open,1\n'),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.json", b"{}"),
        ("a.json", b"[1"),
        ("a.json", b"[" * 100_000),
        ("a.json", b'{"perfdata": {"results": [{"iteration": "x"}]}}'),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        known_shapes.section([tmp_path / name], GOLDEN)


def test_nothing_is_said_where_nothing_was_given():
    assert known_shapes.section([], GOLDEN) is None
