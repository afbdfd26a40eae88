"""`invoke reference`: the dump that others are held to, computed once."""

import pytest

from smoke import commands
from smoke.backends import selection
from smoke.comparing.compare import compare
from smoke.running import run
from tests.smoke import fakes
from wheelhouse.errors import InputError, ParityError, UsageError


@pytest.fixture
def reference(tmp_path, monkeypatch):
    model, select = fakes.model(tmp_path / "model"), selection.select
    options = {}

    def known(names, **given):
        return select(names, **(given | {"known": (fakes.reference(**options),)}))

    monkeypatch.setattr(run, "resolve", lambda spec: model)
    monkeypatch.setattr(selection, "select", known)
    (tmp_path / "prompts.txt").write_text("one\ntwo words\n", encoding="utf-8")

    def made(dump="dumps", **changes):
        options.update(changes)
        prompts = str(tmp_path / "prompts.txt")
        return commands.reference(
            model="any", prompts=prompts, max_new_tokens=4, dump=str(tmp_path / dump) if dump else "", timeout=60.0
        )

    return made


def test_it_is_computed_once_and_can_be_compared(reference, tmp_path, capsys):
    assert reference().startswith("reference: ")
    assert "from the cache" not in capsys.readouterr().err
    reference("again")
    assert "from the cache" in capsys.readouterr().err
    report = compare([tmp_path / "dumps", tmp_path / "again"])
    assert [(r.name, r.verdict.value) for r in report.results] == [
        ("dumps reference fp32", "PASS"), ("again reference fp32", "PASS"), ("again reference fp32", "PASS")
    ]  # fmt: skip
    assert report.results[2].metrics.logits.max_abs == 0
    names = {path.name for path in (tmp_path / "again" / "reference-fp32").iterdir()}
    assert {"run.json", "dump.json", "logits-0.safetensors", "logits-1.safetensors"} <= names


def test_a_broken_one_fails(reference):
    with pytest.raises(ParityError, match="reference fp32"):
        reference(fault="nan")


def test_it_wants_a_folder_of_its_own(reference, tmp_path):
    with pytest.raises(UsageError, match="Where is the dump"):
        reference("")
    (tmp_path / "full" / "reference-fp32").mkdir(parents=True)
    with pytest.raises(InputError, match="is not a dump"):
        reference("full")
