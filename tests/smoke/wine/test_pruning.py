import fcntl
import json
import os
import time

import pytest

from smoke.wine import mounts, places, pruning, recipe, setup
from smoke.wine.parts import windows_python
from smoke.wine.recipe import npu_compiler
from wheelhouse import steps
from wheelhouse.errors import BusyError
from wheelhouse.files import sha256_file

DAY = 86400
ORT = "onnxruntime_directml-1.24.4-cp313-cp313-win_amd64.whl"


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / ORT).write_bytes(b"built today")
    monkeypatch.setattr(pruning, "wheels_dir", lambda: folder)
    return folder


def made(name, *, base=None, days=0.0, **wheels):
    """Make a Python's folder with the record of what it was made from, used for the last time `days` ago."""
    folder = places.base() / f"python-{name}"
    (folder / "fs").mkdir(parents=True)
    (folder / "fs" / "python.exe").write_bytes(b"x" * 1000)
    inputs = {**(base or windows_python.key_of(recipe.load(), ())), **{f"wheel {k}": v for k, v in wheels.items()}}
    (folder / steps.RECORD).write_text(json.dumps({"inputs": inputs}), encoding="utf-8")
    os.utime(folder, times=(time.time() - days * DAY,) * 2)
    return folder


def test_what_a_run_could_ask_for_stays(wheels):
    kept = [
        made("plain"),
        made("current", days=99, **{ORT: sha256_file(wheels / ORT)}),
        made("npu", days=99, **{wheel.filename: wheel.sha256 for wheel in npu_compiler()}),
        made("brought", days=pruning.UNUSED_DAYS - 1, **{"mine-1-py3-none-any.whl": "0" * 64}),
    ]
    assert pruning.prune(recipe.load()) == 0
    assert all(folder.exists() for folder in kept)


@pytest.mark.parametrize(
    "stale",
    [
        lambda _: made("recipe", base={"python": "another"}),
        lambda _: made("rebuilt", **{ORT: "0" * 64}),
        lambda _: made("brought", days=pruning.UNUSED_DAYS + 1, **{"mine-1-py3-none-any.whl": "0" * 64}),
        lambda _: made("x").rename(places.base() / ".python-y.partial"),
        lambda _: made("x").rename(places.base() / ".python-y.old"),
    ],
)
def test_what_nothing_refers_to_goes_and_is_counted(wheels, stale):
    folder = stale(None)
    assert pruning.prune(recipe.load()) > 1000
    assert not folder.exists()


def test_one_that_was_not_finished_goes(wheels):
    folder = made("x")
    (folder / steps.RECORD).unlink()
    pruning.prune(recipe.load())
    assert not folder.exists()


def test_one_that_is_used_or_made_or_mounted_stays(wheels, monkeypatch):
    used = made("used", base={"python": "another"})
    being_made = made("made", base={"python": "another"}).rename(places.base() / ".python-made.partial")
    mounted = made("mounted", base={"python": "another"})
    monkeypatch.setattr(mounts, "mounted_below", lambda folder: [folder / "fs"] if folder == mounted else [])
    locks = [places.use_lock(used), places.base() / ".python-made.lock"]
    held = [os.open(file, os.O_RDWR | os.O_CREAT) for file in locks]
    fcntl.flock(held[0], fcntl.LOCK_SH)  # as a session does
    fcntl.flock(held[1], fcntl.LOCK_EX)  # as its step does
    try:
        assert pruning.prune(recipe.load()) == 0
        assert used.exists()
        assert being_made.exists()
    finally:
        for descriptor in held:
            os.close(descriptor)
    pruning.prune(recipe.load())
    assert not used.exists()
    assert not being_made.exists()
    assert mounted.exists()


def test_a_runtime_that_is_used_is_not_removed_from_under_its_programs(monkeypatch):
    (places.base() / "root").mkdir(parents=True)
    held = os.open(places.use_lock(places.runtime()), os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_SH)
    monkeypatch.setattr(setup, "say", lambda _: None)
    with pytest.raises(BusyError, match="A program in Wine"), setup.unused(places.runtime(), timeout=0.1):
        pytest.fail("it was used")
    os.close(held)
    with setup.unused(places.runtime(), timeout=0):
        held = os.open(places.use_lock(places.runtime()), os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(held)
    assert setup.clean() == 0
    assert not places.base().exists()
