"""The stand-ins for the public hosts, and `invoke` on a recipe that compiles them for Windows with Zig."""

from __future__ import annotations

import tasks
from front.door.program import FrontDoor
from tests.recipes import place, upstream, windows_parts
from wheelhouse.errors import ToolchainError
from wheelhouse.machine import interpreters


def installed(version):
    try:
        return bool(interpreters.find(version))
    except ToolchainError:
        return False


PYTHONS = tuple(v for v in ("3.11", "3.13") if installed(v))
"""Both where this machine has them; Wine's Python is 3.13."""
MACHINES = {"x64": 0x8664, "arm64": 0xAA64}


class World:
    """The hosts, and a folder with recipe, sources, cache and wheels."""

    def __init__(self, folder, patch, pythons=PYTHONS):
        self.folder, self.pythons = folder, pythons
        made = upstream.make_upstream(folder, pybind11=True)
        windows_parts.fill(made.mirror, folder / "parts", pythons)
        self.mirror, self.commits = made.mirror, made.commits
        self.recipe = folder / "minidml.toml"
        self.recipe.write_text(windows_parts.recipe_text(pythons), encoding="utf-8")
        place.enter(folder, patch)

    @property
    def wheels(self):
        return self.folder / "wheels"

    def invoke(self, line, capsys):
        """Run a task as it is typed; return what it has printed."""
        capsys.readouterr()
        FrontDoor(tasks.namespace).run(f"invoke {line}", exit=False)
        return capsys.readouterr()

    def build(self, arch, url, capsys, more=""):
        pythons = ",".join(self.pythons)
        return self.invoke(
            f"build-dml --lane git --recipe {self.recipe} --target windows-{arch} --python {pythons} "
            f"--source-mirror {url} {more}",
            capsys,
        )
