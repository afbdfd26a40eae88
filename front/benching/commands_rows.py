"""What our own commands cost: the list of tasks, a build with nothing to do, sixteen wheels, the audit of a wheel."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from front.benching import others
from front.benching.timing import INVOKE, Part, Row, Spent, interleaved, once, run
from wheelhouse import scratch
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir, wheels_dir

ROUNDS = 15
_EMPTY = '"""No tasks but one."""\nfrom invoke.tasks import task\n\n\n@task\ndef nothing(_c):\n    """Do nothing."""\n'


def start_up() -> Iterator[Row]:
    """`invoke --list` here, against that of a tasks.py with one empty task."""
    with scratch.folder() as name:
        (name / "tasks.py").write_text(_EMPTY, encoding="utf-8")
        listed = (*INVOKE, "--list")
        ours, bare = interleaved([lambda: run(listed, ROOT), lambda: run(listed, name)], ROUNDS)
    yield Row(
        name="list",
        what="`invoke --list` against Invoke's with one empty task",
        unit="times",
        value=ours.wall / bare.wall,
        limit=1.3,
        cpu_s=ours.cpu,
        parts=(Part("ours", ours.wall), Part("Invoke's", bare.wall)),
        note=f"half of the rounds: ours {_half(ours)}, Invoke's {_half(bare)}",
    )


def _half(spent: Spent) -> str:
    return f"{spent.half[0]:.2f} to {spent.half[1]:.2f} s"


def nothing_to_do() -> Iterator[Row]:
    """`invoke build-dml` where everything is there."""
    run((*INVOKE, "build-dml"), ROOT)
    with scratch.folder() as name:
        (name / "tasks.py").write_text(_EMPTY, encoding="utf-8")
        actions = [
            lambda: run((*INVOKE, "build-dml"), ROOT),
            lambda: run((*INVOKE, "nothing"), name),
            lambda: run((sys.executable, "-c", "pass"), ROOT),
        ]
        ours, bare, python = interleaved(actions, ROUNDS)
    yield Row(
        name="nothing-to-do",
        what="`invoke build-dml` with nothing to do",
        unit="s",
        value=ours.wall,
        limit=0.2,
        cpu_s=ours.cpu,
        parts=(Part("an empty task of bare Invoke", bare.wall), Part("an empty Python", python.wall)),
        note=f"bare Invoke alone is {bare.wall / ours.wall:.0%} of it",
    )


def sixteen_wheels() -> Iterator[Row]:
    """All wheels of the published pair from downloads that are there, and the audit of them, both with a cold cache."""
    run((*INVOKE, "build-dml"), ROOT)  # downloads what is not there yet
    with scratch.folder() as name:
        (name / "downloads").symlink_to(cache_dir("downloads"), target_is_directory=True)
        env = {CACHE_VARIABLE: str(name)}
        code = (
            "import sys; from pathlib import Path; from recipes.spec.load import load, locate; "
            "from recipes.wheels.published import build_published as make; "
            "print(len(make(load('published'), locate('published'), Path(sys.argv[1]))))"
        )
        counted: list[str] = []
        made = once(lambda: counted.append(run((sys.executable, "-c", code, f"{name}/out"), ROOT, env=env)))
    count = int(counted[0].split()[-1])
    yield Row(
        name="wheels",
        what=f"{count} wheels of the published pair from downloads that are there",
        unit="s",
        value=made.wall,
        limit=10.0,
        cpu_s=made.cpu,
        note=f"every download is read and its hash compared; {made.wall / count:.2f} s for each",
    )


def audits() -> Iterator[Row]:
    """`invoke audit` of four of our wheels, nothing known of them, and what others do with the same files."""
    wheels = [str(path) for path in sorted(wheels_dir().glob("*-cp313-*.whl"))]
    if not wheels:
        run((*INVOKE, "build-dml"), ROOT)
        wheels = [str(path) for path in sorted(wheels_dir().glob("*-cp313-*.whl"))]

    def ours() -> None:
        with scratch.folder() as cold:
            run((*INVOKE, "audit", "--offline", *wheels), ROOT, env={CACHE_VARIABLE: str(cold)})

    folder = others.prepared()
    names, actions = zip(*others.actions(folder, wheels), strict=True)
    found, *beside = interleaved([ours, *actions], 3)
    yield Row(
        name="audit",
        what=f"`invoke audit` for each of {len(wheels)} wheels (ONNX Runtime's and GenAI's, x64 and ARM64)",
        unit="s",
        value=found.wall / len(wheels),
        limit=0.6,
        cpu_s=found.cpu / len(wheels),
        parts=tuple(Part(name, spent.wall / len(wheels)) for name, spent in zip(names, beside, strict=True)),
        note="others for each wheel, on the same files",
    )
