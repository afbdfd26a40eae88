"""Wheels of the runtime's recipes, asked of the package index as Windows would ask."""

from pathlib import Path

from smoke.wine.parts import pinned_wheels
from smoke.wine.recipe import Wheel


def test_they_come_in_their_order_for_windows_and_the_python(monkeypatch):
    wheels = [Wheel(package=n, version="1", filename=f"{n}-1.whl", sha256=c * 64) for n, c in (("b", "1"), ("a", "2"))]
    asked = []

    def fetch(files):
        asked.extend(files)
        return {file.filename: Path(file.filename) for file in sorted(files, key=lambda file: file.filename)}

    monkeypatch.setattr(pinned_wheels, "fetch_index_files", fetch)
    assert pinned_wheels.fetched(wheels, "3.13") == [Path("b-1.whl"), Path("a-1.whl")]
    assert {(file.python, file.platform) for file in asked} == {("3.13", "win_amd64")}
    assert [(file.package, file.sha256) for file in asked] == [("b", "1" * 64), ("a", "2" * 64)]
