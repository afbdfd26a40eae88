"""What a build would run, as a person would type it: for the target's own shell, from any host."""

from __future__ import annotations

from recipes.building.parts import plan_git_lane
from recipes.building.plan import lines
from recipes.spec.load import load
from recipes.spec.request import Request
from recipes.spec.target import choose_target, cross_compiles, host_target, shell_of
from wheelhouse.errors import UsageError, nearest
from wheelhouse.processes.quoting import Shell

SHELLS: tuple[Shell, ...] = ("posix", "cmd", "powershell")


def transcript(request: Request, shell: str = "") -> str:
    """Return the transcript for the target's system, or for `shell`. Raise UsageError for an unknown shell."""
    recipe = load(request.recipe)
    target = choose_target(recipe, target=request.target, arch=request.arch)
    system = "linux" if cross_compiles(recipe, target, host_target()) else target.os
    chosen = known_shell(shell) if shell else shell_of(system)
    if (chosen == "posix") == (system == "windows"):
        raise UsageError(f"{target.name} is not built from a {chosen} shell.", remedy="Leave --shell out.")
    return "\n".join(lines(plan_git_lane(request), chosen))


def known_shell(name: str) -> Shell:
    """Return the shell of that name. Raise UsageError for an unknown one."""
    for shell in SHELLS:
        if shell == name:
            return shell
    raise UsageError(f"There is no shell '{name}'. {nearest(name, SHELLS)}")
