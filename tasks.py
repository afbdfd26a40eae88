"""Every Invoke task: parses, calls one function, prints. `invoke --list` shows them, `invoke --help NAME` explains."""

from __future__ import annotations

from invoke.context import Context

from wheelhouse.tasklib import split, task


@task
def version(_c: Context) -> None:
    """Print the version of dml-wheelhouse."""
    from importlib.metadata import version as installed_version

    print(installed_version("dml-wheelhouse"))


@task
def bench(_c: Context) -> None:
    """Measure what speed promises: ratios of medians, taken in this one run."""
    from wheelhouse.bench import start_up

    for ratio in (start_up(),):
        print(f"{ratio.subject}: {ratio.value:.2f} times {ratio.baseline} (limit {ratio.limit})")


@task(
    iterable=["python"],
    help={
        "lane": "git (compile, on Windows) or published (PyPI's binaries); default: what fits this system",
        "recipe": "recipe to use; default: dml for the git lane, published for the other",
        "python": "Python version such as 3.12; repeatable, or with commas; default: all of the recipe",
        "plan": "print every command instead of running any",
    },
)
def build_dml(_c: Context, python: list[str], lane: str = "", recipe: str = "", plan: bool = False) -> None:
    """Make the pair of DirectML wheels and its index in wheels/."""
    from recipes import lanes

    choice = lanes.choose_lane(lane, plan=plan)
    print(choice.line)
    print(lanes.build(choice, recipe=recipe, pythons=split(python), plan=plan))


@task
def index(_c: Context) -> None:
    """Write wheels/simple/ (a package index) and wheels/SHA256SUMS over all wheels in wheels/."""
    from recipes.lanes import index_all

    print(index_all())


@task(help={"all": "also downloads, environments, models, exports and the Wine runtime", "plan": "only list"})
def clean(_c: Context, all: bool = False, plan: bool = False) -> None:  # noqa: A002 - the option
    """Remove wheels, sources and build results, saying what and how much."""
    from wheelhouse.clean import removals, remove
    from wheelhouse.files import human_size

    found = removals(everything=all)
    print("\n".join(removal.line for removal in found) or "Nothing to remove.")
    if found and not plan:
        print(f"Removed {human_size(remove(found))}.")


@task(help={"json": "facts and verdicts as JSON, for a bug report"})
def doctor(_c: Context, json: bool = False) -> None:
    """Say what this machine has, and what each lane would need."""
    from wheelhouse.doctor import diagnose, to_json, to_text

    print((to_json if json else to_text)(diagnose()))


@task(
    positional=["folder"],
    help={
        "folder": "model folder for ONNX Runtime GenAI (genai_config.json), for instance a DirectML model",
        "out": "write a healed copy here; default: heal the folder itself, keeping the old graph beside the new one",
        "check": "only measure: which norms pass fp16, and where",
        "stable-norms": "auto (scale the norms that need it), always (every fp16 norm), never",
        "json": "print what was found as JSON",
    },
)
def heal(
    _c: Context, folder: str, out: str = "", check: bool = False, json: bool = False, stable_norms: str = "auto"
) -> None:
    """Make a model whose norms overflow in fp16 come out right on DirectML."""
    from smoke.heal.table import show

    show(folder, out=out, check=check, json=json, mode=stable_norms)


@task(
    iterable=["wheel"],
    help={
        "wheel": "file, folder or pattern; repeatable; also after `--`: invoke audit -- a.whl b.whl; default: wheels/",
        "pair": "audit the two given wheels as one installation",
        "explain": "print what is in each wheel, where it came from, and why each broken rule exists",
        "json": "print facts and findings as JSON",
        "index": "URL or folder of one more index that may satisfy requirements",
        "offline": "do not ask any index whether requirements can be satisfied",
        "strict": "fail for warnings too",
    },
)
def audit(
    _c: Context,
    wheel: list[str],
    pair: bool = False,
    explain: bool = False,
    json: bool = False,
    index: str = "",
    offline: bool = False,
    strict: bool = False,
) -> None:
    """Check wheels before anybody installs them; fails for an error."""
    import sys

    from recipes.audit.cli import audit_command

    audit_command(
        wheel, sys.argv, pair=pair, as_json=json, explain=explain, index=index, offline=offline, strict=strict
    )
