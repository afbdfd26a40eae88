"""WebGPU's Windows plug-in beside the DirectML pair, in Wine: one Windows environment with both providers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smoke.backends import webgpu
from smoke.environments import directml_pair
from smoke.environments.source import Environment, Readiness
from wheelhouse.errors import InputError, UnsupportedError
from wheelhouse.paths import wheels_dir

ELSEWHERE = "Wine is for Linux; on Windows itself the plug-in runs as backend webgpu."
NAMED_ONLY = "The same plug-in runs on Linux itself; in Wine it shows that the Windows one lives beside DirectML."


def why_not_unasked() -> str:
    """Return why this is not run unless it is named."""
    return NAMED_ONLY


@dataclass(frozen=True, kw_only=True)
class WineWebGpuSource:
    """Where backend `webgpu-wine` comes from: Wine's Python with the pair of DirectML wheels and the plug-in."""

    def status(self) -> Readiness:
        """See Source."""
        system: str = sys.platform  # as a plain string: the type checker knows one system only
        if system != "linux":
            return Readiness(ready=False, makeable=False, reason=ELSEWHERE, remedy="`invoke smoke --backend webgpu`.")
        from smoke.wine.environment import WineSource

        return WineSource().status()

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        from smoke.wine import environment

        status = self.status()
        if not status.ready and not wheels:
            raise UnsupportedError(status.reason, remedy=status.remedy)
        pair = environment.find_pair(wheels, wheels_dir())
        if not pair:
            raise InputError("One wheel of each package of the pair is needed.", remedy=directml_pair.BUILD)
        made = environment.prepare((*pair, *plugin()))
        return replace(made, label=f"{made.label}, with WebGPU's plug-in", seconds_per_token=webgpu.SECONDS_PER_TOKEN)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in directml_pair.PACKAGES


def plugin() -> list[Path]:
    """Return the plug-in's Windows wheel, fetched unless it is in the cache."""
    from smoke.wine import recipe
    from smoke.wine.parts import pinned_wheels

    return pinned_wheels.fetched(recipe.webgpu_plugin(), recipe.load().python.minor)
