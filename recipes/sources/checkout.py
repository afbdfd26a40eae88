"""Sources at their pinned commits: fetched shallowly with git, verified after checkout, patched with a reason each.

`commands` is pure and serves the transcript as well as the run. A checkout carries its record inside .git, so its
work tree is exactly upstream's (plus our patches); anything else in its place is refused, never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from recipes.sources.git_failures import explained
from recipes.sources.pins import Pins
from recipes.spec.fetched import Source
from wheelhouse.console import warn
from wheelhouse.errors import InputError, IntegrityError, RecipeError, StepFailedError
from wheelhouse.files import sha256_file, write_atomic
from wheelhouse.paths import log_dir
from wheelhouse.process import Command, run
from wheelhouse.steps import RECORD, Step, ensure, recorded_inputs

PUBLIC_HOST = "https://github.com/"
FETCH_SECONDS = 1800.0
NOT_THEIRS = (f"/{RECORD}", "/mirror/", "__pycache__/", "*.pyc")
"""What appears in a checkout without anybody's doing: our record, the archives that upstream's CMake looks for, and
what Python leaves when their scripts run."""
FACTS = PurePath(".git", "wheelhouse.json")
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A source on disk: its folder, HEAD's commit, the tree with patches applied, the commit's date.

    `epoch` (seconds since 1970) is SOURCE_DATE_EPOCH of everything that is made from it; `submodules` are path and
    commit of those that the recipe asks for.
    """

    folder: Path
    commit: str
    tree: str
    epoch: int
    submodules: Mapping[str, str] = field(default_factory=dict)


def source_name(source: Source) -> str:
    """Return the last part of the repository's address, as 'onnxruntime-genai'."""
    return PurePath(source.repository.rstrip("/").removesuffix(".git")).name


def is_folder(mirror: str) -> bool:
    """Whether a mirror is a folder of this machine rather than an address."""
    return "://" not in mirror or mirror.startswith("file://")


def git(folder: PurePath, *arguments: str, mirror: str = "") -> Command:
    """Return a git command in `folder`; with `mirror`, addresses on the public host are replaced by it."""
    where = mirror if mirror.endswith("/") or not mirror else f"{mirror}/"
    rewrite = ("-c", f"url.{where}.insteadOf={PUBLIC_HOST}") if mirror else ()
    argv = ("git", *rewrite, "-C", str(folder), *arguments)
    return Command(argv=argv, unset=_GIT_VARIABLES, timeout=FETCH_SECONDS)


def commands(source: Source, into: PurePath, patches: PurePath, *, mirror: str = "") -> tuple[Command, ...]:
    """Return the commands that make the checkout `into`, as a person would type them.

    With `sparse`, file contents are fetched for the chosen paths only.
    """
    wanted = source.commit or f"refs/tags/{source.tag}"
    made = [
        Command(argv=("git", "init", "--quiet", str(into)), unset=_GIT_VARIABLES),
        git(into, "config", "core.autocrlf", "false"),  # hashes must not depend on the user's line ends
        git(into, "config", "core.longpaths", "true"),
        git(into, "remote", "add", "origin", source.repository),
    ]
    if source.sparse:
        made.append(git(into, "sparse-checkout", "set", "--no-cone", *source.sparse))
    partial = ("--filter=blob:none",) if source.sparse else ()
    # from https git would follow a redirect to http; a mirror without encryption may redirect to itself
    encrypted = () if mirror.startswith("http://") else ("-c", "protocol.http.allow=user")
    fetch = (*encrypted, "fetch", "--quiet", "--no-tags", "--depth=1", *partial, "origin", wanted)
    made += [
        git(into, *fetch, mirror=mirror),
        git(into, "checkout", "--quiet", "--detach", "FETCH_HEAD", mirror=mirror),
    ]
    if source.submodules:
        update = ("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1", "--", *source.submodules)
        # git clones a submodule from a folder only when told that it may
        local = ("-c", "protocol.file.allow=always") if mirror and is_folder(mirror) else ()
        made.append(git(into, *local, *update, mirror=mirror))
    made += [git(into, "apply", "--index", str(patches / patch.file)) for patch in source.patches]
    return tuple(made)


def fetch(source: Source, folder: Path, patches: Path, pins: Pins, *, mirror: str = "") -> Checkout:
    """Return the checkout of a source, made now unless it is there.

    Raises InputError (a foreign checkout or a missing patch), NetworkError, IntegrityError (commit not in the
    repository, or not the recorded one).
    """
    step = _step(source, folder, patches)
    refuse_foreign(folder)
    ensure(
        step,
        lambda into: _make(source, into, patches, pins, mirror),
        quiet_when_fresh=True,
        damage=lambda there: _not_locked(there, source, pins),
    )
    found = read_checkout(folder)
    _verify(source, found, pins)  # the lock may be younger than the checkout
    return found


def _not_locked(folder: Path, source: Source, pins: Pins) -> str | None:
    locked = pins.commit(source.repository, source.tag) if source.commit is None and source.tag else None
    return "the lock names another commit" if locked not in {None, read_checkout(folder).commit} else None


def refuse_foreign(folder: Path) -> None:
    """Raise InputError when the folder is there but was not fetched by this program: it is somebody's work."""
    if folder.exists() and recorded_inputs(folder) is None:
        raise InputError(
            f"{folder} exists but was not made by this program.",
            remedy="Move it away, or point the recipe's repository at it to build from your own sources.",
        )


def _step(source: Source, folder: Path, patches: Path) -> Step:
    inputs = {"repository": source.repository, "pin": source.pin, "sparse": " ".join(source.sparse)}
    inputs["submodules"] = " ".join(source.submodules)
    for patch in source.patches:
        file = patches / patch.file
        if not file.resolve().is_relative_to(patches.resolve()):
            raise RecipeError(
                f"The patch {patch.file} is a link that leads out of {patches}.",
                remedy="Put the patch itself there: what is built must not depend on other folders.",
            )
        if not file.is_file():
            raise InputError(f"The patch {file} does not exist.", remedy="Restore it, or remove it from the recipe.")
        inputs[f"patch {patch.file}"] = sha256_file(file)
    return Step(name=f"fetch {source_name(source)}", output=folder, inputs=inputs)


def _make(source: Source, into: Path, patches: Path, pins: Pins, mirror: str) -> None:
    log = log_dir() / f"fetch-{source_name(source)}.log"
    for command in commands(source, into, patches, mirror=mirror):
        try:
            run(command, log=log)
        except StepFailedError as error:
            raise explained(error, source, log) from error
    commit = _ask(into, "rev-parse", "HEAD")
    _require_pinned(source, commit)
    facts = {
        "commit": commit,
        "tree": _ask(into, "write-tree", "--missing-ok"),
        "epoch": int(_ask(into, "log", "-1", "--format=%ct")),
        "submodules": dict(_submodules(into, source)),
    }
    write_atomic(into / FACTS, json.dumps(facts))
    _verify(source, read_checkout(into), pins)


def _submodules(folder: Path, source: Source) -> Iterator[tuple[str, str]]:
    """Yield path and commit of the submodules that were fetched: git marks the others with a '-'."""
    for line in _ask_lines(folder, "submodule", "status", "--recursive") if source.submodules else ():
        commit, _, rest = line.strip().partition(" ")
        if not commit.startswith("-"):
            yield rest.partition(" (")[0], commit.lstrip("+U")


def _verify(source: Source, found: Checkout, pins: Pins) -> None:
    if source.commit is None:
        pins.learn_source(source.repository, source.tag or "", found.commit, dict(found.submodules))
    _require_pinned(source, found.commit)
    if source.built_as and not found.commit.startswith(source.built_as):
        warn(
            f"{source_name(source)} {source.tag or source.pin} is commit {found.commit}, but the published binary of "
            f"that version was built from {source.built_as}: compare the two before you trust either"
        )


def _require_pinned(source: Source, commit: str) -> None:
    if source.commit not in {None, commit}:
        raise IntegrityError(
            f"{source.repository} delivered commit {commit}, but {source.commit} is pinned.",
            remedy="Do not use this repository or mirror until you know why.",
        )


def read_checkout(folder: Path) -> Checkout:
    """Return what a finished checkout is, from its record; starts no process. Raise InputError when it has none."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return Checkout(
            folder=folder,
            commit=facts["commit"],
            tree=facts["tree"],
            epoch=facts["epoch"],
            submodules=facts.get("submodules", {}),
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} is not a checkout of this program.", remedy="Remove it and fetch again.") from error


def require_clean(checkout: Checkout, *, allowed: Collection[str] = ()) -> None:
    """Raise InputError when somebody has worked in the checkout: what would be built is not what the recipe pins.

    `allowed` are files that upstream's own build is known to have left there.
    """
    head = _ask(checkout.folder, "rev-parse", "HEAD")
    found = [name for names in changes(checkout) for name in names if name not in allowed]
    tree = _ask(checkout.folder, "write-tree", "--missing-ok")
    if head == checkout.commit and tree == checkout.tree and not found:
        return
    what = ", ".join(found[:3]) or f"HEAD is {head[:10]}"
    raise InputError(
        f"{checkout.folder} has been changed since it was fetched ({what}).",
        remedy=f"Save your work as a patch (`git -C {checkout.folder} diff HEAD > third_party/patches/NAME.patch`, "
        f"then list it in the recipe with its reason), or remove the folder to fetch it again.",
    )


def changes(checkout: Checkout) -> tuple[list[str], list[str]]:
    """Return the files of the work tree that differ from the index, and those that git does not know."""
    whole = ("-c", "core.quotePath=false")  # or names with an umlaut come as numbers
    changed = _ask_lines(checkout.folder, *whole, "diff", "--name-only")
    # not --exclude-standard: git would look for the .gitignore files of what a sparse checkout left out
    added = _ask_lines(checkout.folder, *whole, "ls-files", "--others", *(f"--exclude={name}" for name in NOT_THEIRS))
    return changed, added


def _ask(folder: Path, *arguments: str) -> str:
    lines = _ask_lines(folder, *arguments)
    return lines[-1] if lines else ""


def _ask_lines(folder: Path, *arguments: str) -> list[str]:
    """Return git's answer, line by line (all of them, unlike the tail that `run` keeps)."""
    lines: list[str] = []
    log = log_dir() / f"git-{folder.name}.log"
    asked = git(folder, *arguments)
    # what a sparse checkout left out stays out: no question may reach for the network
    local = replace(asked, env={"GIT_NO_LAZY_FETCH": "1"})
    run(local, log=log, echo=False, on_line=lines.append)
    return [line for line in lines if line]
