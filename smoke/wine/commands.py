"""What `invoke wine-setup` and `invoke wine-clean` do."""

from __future__ import annotations

import time
from pathlib import Path

from smoke.wine import environment, namespace, places, pruning, recipe, selftest, setup
from smoke.wine.parts import debian
from smoke.wine.parts import host_wine as host
from wheelhouse.console import say
from wheelhouse.errors import InputError, UsageError
from wheelhouse.files import human_size
from wheelhouse.paths import wheels_dir


def wine_setup(*, record: bool, host_wine: bool = False) -> str:
    """Make the runtime, prove that it works, and return what to say.

    `record`: write down Debian's versions. `host_wine`: use the Wine that this machine has. Raise UsageError for both.
    """
    if host_wine and record:
        raise UsageError("--record writes down Debian's versions; with --host-wine there are none.")
    started = time.monotonic()
    wanted = recipe.load()
    if host_wine:
        namespace.require()
        setup.stand_on_host()
    setup.make_runtime()
    made = environment.prepare(pair())
    selftest.ensure(wanted, made)
    freed = pruning.prune(wanted)
    if freed:
        say(f"Removed Windows Pythons that nothing refers to any more: {human_size(freed)}")
    if record:
        debian.record()
    if host.recorded() is None:
        debian.verify(wanted)
    return f"The Wine runtime in {places.base()} is ready ({time.monotonic() - started:.1f} s): {made.label}."


def pair() -> tuple[Path, ...]:
    """Return a pair of wheels for the runtime's Python: the one in wheels/, or the published one, made now."""
    found = environment.find_pair((), wheels_dir())
    if not found:
        from recipes import lanes
        from recipes.spec import request

        minor = recipe.load().python.minor
        say(f"There is no pair for Python {minor} in wheels/: making the published one")
        wanted = request.Request(recipe="", options=request.options_from(pythons=(minor,)))
        lanes.build(lanes.choose_lane("published"), wanted)
        found = environment.find_pair((), wheels_dir())
    if not found:
        raise InputError("wheels/ has no pair of DirectML wheels that fits.", remedy="`invoke build-dml` makes one.")
    return found


def wine_clean() -> str:
    """Remove the runtime; return what to say."""
    freed = setup.clean()
    return f"Removed {places.base()}: {human_size(freed)}." if freed else "There is no Wine runtime to remove."
