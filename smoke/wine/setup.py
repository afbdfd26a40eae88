"""Making the runtime: each part a step, one set-up at a time, and nothing done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from smoke.wine import mounts, namespace, places, recipe
from smoke.wine.parts import debian, direct3d, host_wine, rounding, windows_python
from smoke.wine.recipe import WineRecipe
from wheelhouse import steps
from wheelhouse.console import say
from wheelhouse.errors import BusyError, UsageError
from wheelhouse.file_locks import locked
from wheelhouse.files import human_size, require_space
from wheelhouse.steps import Step


def make_runtime() -> WineRecipe:
    """Make what is missing of the root, d3d12.dll and the prefix; return the recipe.

    Raise UnsupportedError where this host cannot, NetworkError, ToolchainError, ResourceError or StepFailedError.
    """
    namespace.require()
    wanted = recipe.load()
    if not finished(wanted):
        with locked(places.base() / "set-up"), unused(places.runtime()):
            _make(wanted)
    return wanted


def python_with(wheels: Sequence[Path], *, resolve: bool = True) -> Step:
    """Return the step of the Windows Python with `wheels`, making it if needed; the runtime as well.

    Without `resolve` the wheels are put there whatever they require.
    """
    return windows_python.ensure(make_runtime(), wheels, resolve=resolve)


def finished(wanted: WineRecipe) -> bool:
    """Return whether root, d3d12.dll and prefix are there and made from what they would be made from now."""
    own = host_wine.recorded()
    if steps.why_to_run(host_wine.step(own) if own else debian.step(wanted)) is not None:
        return False
    wanted_steps = (direct3d.shim_step(wanted), rounding.step(), direct3d.prefix_step(wanted))
    return all(steps.why_to_run(step) is None for step in wanted_steps)


def _make(wanted: WineRecipe) -> None:
    if host_wine.recorded():
        host_wine.ensure(host_wine.find())
    else:
        _make_debian(wanted)
    for part in (places.shim(), places.rounding(), places.prefix()):
        mounts.remove(steps.partial_of(part))

    def compile_ours() -> None:
        direct3d.ensure_shim(wanted)
        rounding.ensure()

    with ThreadPoolExecutor(max_workers=1) as pool:  # wineboot waits more than it computes
        compiled = pool.submit(compile_ours)
        direct3d.ensure_prefix(wanted, compiled.result)
        compiled.result()


def _make_debian(wanted: WineRecipe) -> None:
    if not places.root().exists():
        say(f"Making the Wine runtime in {places.base()}, as root: downloads about {human_size(wanted.download)}, "
            f"takes {human_size(wanted.size)} of disk.")  # fmt: skip
        require_space(places.base(), wanted.size + wanted.download, "The Wine runtime")
    debian.ensure(wanted)
    debian.verify(wanted)


def stand_on_host() -> None:
    """Let the runtime use the host's own Wine. Raise UsageError when there is a Debian root, and what `find` may."""
    if places.root().exists() and host_wine.recorded() is None:
        raise UsageError(
            "The runtime here has a Wine of its own.", remedy="`invoke wine-clean` removes it, then run the same again."
        )
    found = host_wine.find()
    with locked(places.base() / "set-up"), unused(places.runtime()):
        host_wine.ensure(found)


@contextmanager
def unused(part: Path, *, timeout: float = 1800.0) -> Iterator[None]:
    """Keep programs in Wine from starting to use `part` while inside, after those that do have ended.

    Raise BusyError after `timeout` seconds.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locked(places.use(part), timeout=0))
        except BusyError:
            if timeout > 0:
                say("Waiting for the programs that run in the Wine runtime")
            _wait_for(held, part, timeout)
        yield


def ensure_unused(wanted: Step, make: Callable[[Path], None]) -> None:
    """Make a step's output unless it is there, when no program in Wine uses the one that it replaces."""
    if steps.why_to_run(wanted) is None:
        return
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    with unused(wanted.output):
        steps.ensure(wanted, make, quiet_when_fresh=True)


def _wait_for(held: ExitStack, part: Path, timeout: float) -> None:
    try:
        held.enter_context(locked(places.use(part), timeout=timeout))
    except BusyError as error:
        raise BusyError(
            f"A program in Wine is using {part}.", remedy="Wait for it to end, or end it, then run the same again."
        ) from error


def clean() -> int:
    """Remove the runtime; return the bytes freed. Raise BusyError when something is mounted in it or it is in use."""
    from wheelhouse.files import size_of

    base = places.base()
    if not base.exists():
        return 0
    with locked(base / "set-up", timeout=5), unused(places.runtime(), timeout=5):
        freed = size_of(base)
        mounts.remove(base)
    return freed
