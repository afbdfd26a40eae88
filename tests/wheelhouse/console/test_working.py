"""What is said without a terminal: in a pipe, in a file, in CI."""

import threading

import pytest
from rich.text import Text

from wheelhouse import console
from wheelhouse.console import Loudness, working


def test_task_prints_its_begin_and_its_end_with_the_duration(capsys: pytest.CaptureFixture[str]) -> None:
    with console.task("Export [fp16]") as current:
        current.update("ignored without a terminal")
        current.progress(1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "… Export [fp16]"
    assert lines[1].startswith("✓ Export [fp16]  0.")


def test_what_went_wrong_without_an_error_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    with console.task("worker") as current:
        current.fail("TIMED_OUT")
    assert capsys.readouterr().err.splitlines()[1] == "✗ worker  0.0 s  TIMED_OUT"


def test_failed_task_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), console.task("T"):
        raise ValueError("x")
    assert "✗ T" in capsys.readouterr().err


def test_github_groups_fold_the_outer_task_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with console.task("outer"), console.task("inner"):
        pass
    assert capsys.readouterr().err.count("::group::") == 1


def test_tasks_in_threads_do_not_disturb_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    def work(number: int) -> None:
        with console.task(f"t{number}"):
            pass

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = [line for line in capsys.readouterr().err.splitlines() if line.startswith("✓")]
    assert len(ended) == 8
    assert working._state.open == 0


def test_results_and_messages_go_to_different_streams(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("message [not markup]")
    console.warn("mind this")
    console.result("result")
    captured = capsys.readouterr()
    assert captured.out == "result\n"
    assert "message [not markup]\n" in captured.err
    assert "warning: mind this" in captured.err


def test_steps_of_a_phase_are_all_said(capsys: pytest.CaptureFixture[str]) -> None:
    with console.phase("exports", 2), console.task("export one"):
        console.remark("model changed")
    said = [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["… exports", "… export one", "model changed", "✓ export one", "✓ exports"]


def test_quiet_leaves_results_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_loudness(Loudness.QUIET)
    with console.task("t"):
        console.say("s")
        console.command("c")
    console.warn("w")
    console.result("r")
    assert capsys.readouterr() == ("r\n", "warning: w\n")


@pytest.mark.parametrize(("loudness", "said"), [(Loudness.NORMAL, ""), (Loudness.VERBOSE, "+ python x.py\n")])
def test_commands_are_said_when_that_is_wanted(
    capsys: pytest.CaptureFixture[str], loudness: Loudness, said: str
) -> None:
    console.set_loudness(loudness)
    console.command("python x.py")
    assert capsys.readouterr().err == said


def test_nothing_is_wrapped_or_padded_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    console.result("word " * 60 + "end")
    console.say("word " * 60 + "end")
    console.result(Text("padded   "))
    console.result("[/no markup]")
    out, err = capsys.readouterr()
    assert out == "word " * 60 + "end\npadded\n[/no markup]\n"
    assert err == "word " * 60 + "end\n"
