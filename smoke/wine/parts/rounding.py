"""The small library that makes software Direct3D store fp16 rounded to the nearest: half/round_half.c says why."""

from __future__ import annotations

from pathlib import Path

from smoke.wine import places
from smoke.wine.namespace import Spec
from smoke.wine.parts import direct3d
from wheelhouse import steps
from wheelhouse.files import sha256_file
from wheelhouse.steps import Step

SOURCE = Path(__file__).resolve().parent.parent / "half"
LIBRARY = "libround_half.so"
INSIDE = f"/usr/lib/dml-wheelhouse/{LIBRARY}"
"""Where programs in the root see it."""
COMPILE = (
    "gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-s",
    "-fno-ident", "-Wl,--build-id=none", "-o", f"/out/{LIBRARY}", "/source/round_half.c",
)  # fmt: skip
"""Nothing of the C library's headers, and the same bytes from the same source."""


def step() -> Step:
    """Return the step that compiles the library."""
    inputs = {
        "source": sha256_file(SOURCE / "round_half.c"),
        "command": " ".join(COMPILE),
        "compiler": direct3d.root_key(),
    }
    return Step(name="fp16 rounding", output=places.rounding(), inputs=inputs)


def ensure() -> None:
    """Compile the library unless it is there. Raise StepFailedError with the compiler's words."""

    def make(folder: Path) -> None:
        spec = Spec(root=places.ground().tree, argv=COMPILE, binds={"/source": str(SOURCE), "/out": str(folder)})
        direct3d.inside(spec, folder / "build.json", "rounding", f"compiling {LIBRARY}")

    steps.ensure(step(), make, quiet_when_fresh=True)


def binds() -> dict[str, str]:
    """Return what a session binds into its root for it."""
    return {INSIDE: str(places.rounding() / LIBRARY)}


def variables() -> dict[str, str]:
    """Return what a session's environment needs for it. DML_WHEELHOUSE_D3D12_ROUNDING=zero switches it off."""
    return {"LD_PRELOAD": INSIDE}
