"""What was built is recorded as far as it was tried, and said in words that do not flatter."""

import subprocess
import sys
import zipfile

import msgspec
import pytest

from recipes.building import built
from recipes.building.built import Built, prove_and_record, read, status
from recipes.wheels import trial
from recipes.wheels.trial import Trial, try_out
from tests.recipes.contexts import LINUX, WINDOWS, WINDOWS_ARM, context, mini_recipe
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError, RecipeError, StepFailedError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WHEELS = {"a-1-cp312-cp312-x.whl": "a" * 64, "a-1-cp313-cp313-x.whl": "b" * 64}


@pytest.fixture
def recipe_file(tmp_path):
    file = tmp_path / "mini.toml"
    file.write_text('description = "x"', encoding="utf-8")
    return file


@pytest.fixture
def trials(monkeypatch):
    """Answers of `try_out` by Python; what it was asked."""
    answers, asked = {}, []

    def fake(wheels, *, python, why_not="", **rest):
        asked.append(([w.name for w in wheels], why_not))
        return Trial(state="built", note=why_not) if why_not else answers.get(python, Trial(state="smoked"))

    monkeypatch.setattr(built, "try_out", fake)
    return answers, asked


def record(tmp_path, recipe_file, *, target=LINUX, host=None, wheels=WHEELS):
    return prove_and_record(context(tmp_path, target=target, host=host), recipe_file, tmp_path, wheels)


def told(recipe_file, target="linux-x64"):
    return status(mini_recipe(), recipe_file, target)


def test_without_a_record_it_is_a_plan_only(recipe_file):
    assert told(recipe_file) == "plan only"


def test_each_python_with_its_own_wheels(tmp_path, recipe_file, trials):
    record(tmp_path, recipe_file)
    assert [wheels for wheels, _ in trials[1]] == [["a-1-cp312-cp312-x.whl"], ["a-1-cp313-cp313-x.whl"]]
    first, second = read(recipe_file)
    assert (first.python, first.wheels, second.python) == ("3.12", {"a-1-cp312-cp312-x.whl": "a" * 64}, "3.13")
    assert told(recipe_file).startswith("built and smoked for 3.12, 3.13 (by hand, 20")
    assert told(recipe_file, "windows-x64") == "plan only"


def test_what_was_not_smoked_says_why(tmp_path, recipe_file, trials):
    trials[0]["/py/313"] = Trial(state="built", note="imported, but its smoke failed here: no device")
    record(tmp_path, recipe_file)
    assert "built and smoked for 3.12 (" in told(recipe_file)
    assert "built for 3.13 (by hand, " in told(recipe_file)
    assert "no device" in told(recipe_file)


def test_what_was_compiled_for_another_processor_was_not_tried(tmp_path, recipe_file, trials):
    record(tmp_path, recipe_file, target=WINDOWS_ARM, host=WINDOWS)
    assert {why for _, why in trials[1]} == {"not tried: compiled on windows-x64"}
    assert "smoked" not in told(recipe_file, "windows-arm64")


def test_the_same_again_changes_no_byte_and_another_content_does(tmp_path, recipe_file, trials, monkeypatch):
    record(tmp_path, recipe_file)
    first = built.file_of(recipe_file).read_bytes()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name, value in {"SERVER_URL": "https://x", "REPOSITORY": "o/r", "RUN_ID": "7"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    record(tmp_path, recipe_file)
    assert built.file_of(recipe_file).read_bytes() == first
    record(tmp_path, recipe_file, wheels=dict.fromkeys(WHEELS, "c" * 64))
    assert {one.by for one in read(recipe_file)} == {"https://x/o/r/actions/runs/7"}


def test_a_changed_recipe_makes_the_record_older(tmp_path, recipe_file, trials):
    record(tmp_path, recipe_file)
    recipe_file.write_text('description = "y"', encoding="utf-8")
    assert told(recipe_file).endswith(", from an earlier text of the recipe")


def test_all_pythons_need_no_list(tmp_path, recipe_file, trials):
    record(tmp_path, recipe_file)
    recipe = msgspec.structs.replace(mini_recipe(), pythons=("3.12", "3.13"))
    assert status(recipe, recipe_file, "linux-x64").startswith("built and smoked (by hand, ")


def test_records_of_several_machines_become_one(tmp_path, recipe_file, trials):
    elsewhere = tmp_path / "elsewhere"
    for number, (name, sha) in enumerate(WHEELS.items()):
        other = elsewhere / str(number) / "mini.toml"
        other.parent.mkdir(parents=True)
        other.write_text(recipe_file.read_text(encoding="utf-8"), encoding="utf-8")
        record(tmp_path, other, wheels={name: sha})
        kept = [one for one in read(other) if one.wheels]
        built._add(other, kept)
        text = built._text(built.Record(format=1, recipe="mini", built=tuple(kept)))
        built.file_of(other).write_text(text, encoding="utf-8")
    assert built.merge(recipe_file, elsewhere) == 2
    assert [one.python for one in read(recipe_file)] == ["3.12", "3.13"]
    with pytest.raises(InputError, match=r"no mini\.built\.toml"):
        built.merge(recipe_file, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('format = 2\nrecipe = "mini"', InputError, "format 2"),
        ('format = 1\nrecipe = "other"', InputError, "for recipe 'other'"),
        ('format = 1\nrecipe = "mini"\nbuilds = 1', RecipeError, r"unknown key 'builds'.*Did you mean 'built'"),
        ("format = ", RecipeError, r"mini\.built\.toml"),
    ],
)
def test_records_that_cannot_be_trusted(recipe_file, text, error, message):
    built.file_of(recipe_file).write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        told(recipe_file)


def test_a_record_is_no_recipe(tmp_path, recipe_file):
    from recipes.spec.load import available

    built.file_of(recipe_file).write_text("", encoding="utf-8")
    assert set(available(tmp_path)) == {"mini"}


def test_every_state_has_its_word():
    assert set(built.WORDS) == {"built", "smoked"}
    assert {f.name for f in msgspec.structs.fields(Built)} >= {"by", "when", "tools", "wheels", "recipe_hash"}


@pytest.mark.integration
class TestTrials:
    """Real environments, real wheels."""

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nothing answers there
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def made(self, tmp_path, code=b"x = 1\n", headers=()):
        return make_wheel(tmp_path / "w", tag="py3-none-any", files={"demo_pkg/__init__.py": code}, headers=headers)

    def trial(self, wheel, *smoke):
        return try_out([wheel], python=sys.executable, module="demo_pkg", smoke=smoke)

    def test_smoked_once_and_not_again(self, tmp_path, monkeypatch):
        wheel = self.made(tmp_path, headers=("Requires-Dist: no-such-package-anywhere",))
        assert self.trial(wheel, "assert demo_pkg.x == 1") == Trial(state="smoked")
        monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
        assert self.trial(wheel, "assert demo_pkg.x == 1") == Trial(state="smoked")

    def test_a_failing_smoke_is_only_built(self, tmp_path):
        found = self.trial(self.made(tmp_path), "raise RuntimeError('no adapter')")
        assert found.state == "built"
        assert "smoke failed here: RuntimeError: no adapter" in found.note
        assert not (tmp_path / "cache" / "trials").exists()

    def test_without_its_requirements_nothing_is_said(self, tmp_path):
        wheel = self.made(tmp_path, b"import numpy\n", ("Requires-Dist: no-such-package-anywhere",))
        assert "was not reached" in self.trial(wheel).note

    def test_what_does_not_import_is_removed(self, tmp_path):
        wheel = self.made(tmp_path, b"raise OSError('a DLL is missing')\n")
        with pytest.raises(StepFailedError, match="installs but cannot be imported: OSError: a DLL is missing"):
            self.trial(wheel)
        assert not wheel.exists()

    def test_no_wheel_at_all(self, tmp_path):
        wheel = self.made(tmp_path)
        wheel.write_bytes(b"PK")
        assert not zipfile.is_zipfile(wheel)
        with pytest.raises(StepFailedError):
            self.trial(wheel)
        assert trial.IMPORTED
