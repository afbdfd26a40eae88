"""`invoke build-dml --lane git` in Windows Python: the miniature pair compiled through the Windows code paths.

Visual Studio is found by vswhere and entered by VsDevCmd.bat, cmd.exe and Windows' CMake and Ninja run, both processors
are compiled for, and what is for this one is installed and imported. What stands for what is printed: see NAMES.
The first compilation for a target takes Zig minutes: `.ci/run` has done that by then, on Linux.
"""

import dataclasses
import importlib.util
import re
import shutil
import zipfile
from pathlib import PureWindowsPath

import pefile
import pytest

from smoke.wine import environment, namespace, recipe, setup
from smoke.wine.inside import stand_in
from smoke.wine.whole import installing, machine, pythons
from tests.recipes import visual_studio, windows_parts, windows_world
from tests.recipes.public_hosts import public_hosts
from wheelhouse.files import remove_tree, write_atomic
from wheelhouse.process import Command, run

pytestmark = [
    pytest.mark.wine,
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="`pip install -e '.[cross]'` brings Zig"),
]
FOLDER = "miniature (x86)"
"""In the user's profile: sources, cache and wheels of the miniature pair."""
CHECKOUT = PureWindowsPath(r"C:\w")
"""The checkout by another name: CMake, Ninja and cmd.exe take the `&` in its own apart."""


class Lane:
    """The miniature world, a Windows Python with headers, and the task as it is typed there."""

    def __init__(self, chosen, folder, patch):
        self.chosen, self.folder = chosen, folder
        installing.ensure(chosen)
        self.there = chosen.home / FOLDER
        remove_tree(self.there)
        self.spec = self._spec(machine._spec(chosen, start=chosen.folder))
        (python,) = (each for each in pythons.recipe().pythons if each.minor == chosen.minor)
        embeddable = pythons.ensure(python)
        self.world = windows_world.World(folder / "world", patch, (chosen.minor,))
        for name in ("mini.toml", "minidml.toml"):
            write_atomic(self.there / name, (self.world.folder / name).read_bytes())
        python, copy = PureWindowsPath(machine.program_of(chosen.minor)).parent, self._python(embeddable)
        self.spec.binds[visual_studio.inside(python)] = str(copy)
        self.spec.env[stand_in.PLACES] = f"{python.as_posix()}={copy}"

    def _spec(self, usual):
        """Return how programs start there: with Visual Studio's stand-ins where the real ones lie."""
        scripts = self.chosen.checkout / self.chosen.environment / "Scripts"
        made = visual_studio.make(self.folder / "standing-in", scripts / "ninja.exe")
        checkout = visual_studio.inside(CHECKOUT)
        binds = {**usual.binds, **made, checkout: str(self.chosen.checkout)}
        binds[visual_studio.inside(self._scripts / "cmake.exe")] = str(self.folder / "standing-in" / "cmake.exe")
        return dataclasses.replace(usual, binds=binds)

    @property
    def _scripts(self):
        return CHECKOUT / self.chosen.environment / "Scripts"

    def _python(self, embeddable):
        """Return a copy of Windows Python with the headers that the embeddable build lacks."""
        copy = self.folder / "python"
        shutil.copytree(embeddable, copy)
        content = windows_parts.python_folder(self.world.folder / "parts", self.chosen.minor, "x64") / "tools"
        shutil.copytree(content / "include", copy / "Include")
        shutil.copytree(content / "libs", copy / "libs")
        return copy

    def build(self, url, *words):
        """Run the lane; return what it has said."""
        file = self.folder / "spec.json"
        write_atomic(file, self.spec.text())
        home = PureWindowsPath(rf"C:\users\{self.chosen.user}", FOLDER)
        task = ("build-dml", "--lane", "git", "--recipe", str(home / "minidml.toml"), "--source-mirror", url)
        python = (str(self._scripts / "python.exe"), "-m", "tests.recipes.place", str(home))
        lines = []
        command = Command(argv=(*namespace.session(file), *python, *task, *words), timeout=600)
        run(command, log=self.folder / "build.log", on_line=lines.append)
        return "\n".join(lines)

    def wheels(self, arch):
        platform = "win_amd64" if arch == "x64" else "win_arm64"
        return sorted((self.there / "wheels").glob(f"*{platform}.whl"))


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    problem = namespace.obstacle()
    if problem is not None or not setup.finished(recipe.load()):
        pytest.skip(f"needs the Wine runtime: {problem or environment.SETUP}")
    chosen = machine.choose(python="", user="", folder="")
    if not windows_world.installed(chosen.minor):
        pytest.skip(f"the headers are those of this machine's Python {chosen.minor}, which is not here")
    with pytest.MonkeyPatch.context() as patch:
        made = Lane(chosen, tmp_path_factory.mktemp("w"), patch)
    yield made
    remove_tree(made.there)


@pytest.fixture(scope="module")
def url(lane):
    with public_hosts(lane.world.mirror) as address:
        yield address


def machines(wheel):
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            if name.endswith((".dll", ".pyd")):
                with pefile.PE(data=opened.read(name), fast_load=True) as image:
                    yield name, image.FILE_HEADER.Machine


@pytest.mark.parametrize("arch", windows_world.MACHINES)
def test_the_whole_lane(lane, url, arch, capsys):
    said = lane.build(url, "--arch", arch)
    with capsys.disabled():
        print(f"\nbuilt in Windows Python for {arch}, with stand-ins: {'; '.join(visual_studio.NAMES)}")
    genai, ort = lane.wheels(arch)
    assert ort.name.startswith("onnxruntime")
    assert {found for wheel in (genai, ort) for _, found in machines(wheel)} == {windows_world.MACHINES[arch]}
    assert len(list(machines(genai))) == 3
    # The lane installs the pair and runs the recipe's lines: `assert minigenai.answer() == 46`.
    tried = "built and smoked" if arch == "x64" else "built (not tried: compiled on windows-x64)"
    assert f"Python {lane.chosen.minor}: {tried}" in said
    with zipfile.ZipFile(genai) as opened:
        content = b"".join(opened.read(name) for name in opened.namelist())
    assert lane.chosen.user.encode() not in content
    assert str(lane.there).encode() not in content


def test_a_second_build_has_nothing_to_do(lane):
    said = lane.build("http://127.0.0.1:9", "--arch", "x64")
    assert said.count("unchanged") == 2
    assert not re.search(r"vsdevcmd|vswhere", said)
