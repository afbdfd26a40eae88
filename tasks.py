"""Every Invoke task: parses, calls one function, prints. `invoke --list` shows them, `invoke --help NAME` explains."""

from __future__ import annotations

from invoke.context import Context

from front.tasklib import split, task


@task
def version(_c: Context) -> None:
    """Print the version of dml-wheelhouse."""
    from importlib.metadata import version as installed_version

    print(installed_version("dml-wheelhouse"))


@task
def bench(_c: Context) -> None:
    """Measure what speed promises: ratios of medians, taken in this one run."""
    from front.bench import start_up

    for ratio in (start_up(),):
        print(f"{ratio.subject}: {ratio.value:.2f} times {ratio.baseline} (limit {ratio.limit})")


_BUILD = {
    "recipe": "name of a recipe (`invoke recipes`), or a file",
    "python": "Python version such as 3.12; repeatable, or with commas; default: all of the recipe",
    "target": "windows-x64, windows-arm64, linux-x64 or linux-arm64; default: this system",
    "arch": "x64 or arm64; default: this processor",
    "ort": "build (compile ONNX Runtime, default) or published (take the recipe's release archive)",
    "ort-home": "your own ONNX Runtime: a folder with include/ and lib/",
    "source-mirror": "folder or address with OWNER/NAME below it, in place of https://github.com/",
    "plan": "print every command instead of running any",
}
_OWN = ("target", "arch", "ort", "ort-home", "source-mirror")  # the published lane has no use for them


@task(
    iterable=["python"],
    help=_BUILD
    | {option: f"git lane: {_BUILD[option]}" for option in _OWN}
    | {
        "lane": "git (compile, on Windows) or published (PyPI's binaries); default: what fits this system",
        "recipe": "recipe to use; default: dml for the git lane, published for the other",
    },
    auto_shortflags=False,
)
def build_dml(
    _c: Context,
    python: list[str],
    lane: str = "",
    recipe: str = "",
    arch: str = "",
    target: str = "",
    ort: str = "",
    ort_home: str = "",
    source_mirror: str = "",
    plan: bool = False,
) -> None:
    """Make the pair of DirectML wheels and its index in wheels/."""
    from recipes import lanes
    from recipes.spec.request import Request, options_from

    choice = lanes.choose_lane(lane, recipe=recipe, plan=plan)
    print(choice.line, flush=True)
    options = options_from(pythons=split(python), ort=ort, ort_home=ort_home, source_mirror=source_mirror)
    request = Request(recipe=recipe, target=target, arch=arch, options=options)
    print((lanes.plan if plan else lanes.build)(choice, request))


_PARTS = _BUILD | {
    "jobs": "parallel compilations; default: one per processor",
    "shell": "write the plan for posix, cmd or powershell; default: what the target has",
}


def _build_task(name: str, part: str, text: str) -> object:
    """Declare the task that builds a recipe up to `part`: they all take the same options."""

    def body(
        _c: Context,
        python: list[str],
        recipe: str = "",
        target: str = "",
        arch: str = "",
        ort: str = "",
        ort_home: str = "",
        source_mirror: str = "",
        jobs: int = 0,
        plan: bool = False,
        shell: str = "",
    ) -> None:
        from recipes.commands import perform
        from recipes.spec.request import Request, options_from

        options = options_from(
            pythons=split(python), ort=ort, ort_home=ort_home, source_mirror=source_mirror, jobs=jobs
        )
        print(perform(part, Request(recipe=recipe, target=target, arch=arch, options=options), plan=plan, shell=shell))

    body.__name__, body.__doc__ = name, text
    return task(iterable=["python"], help=_PARTS, auto_shortflags=False)(body)


build = _build_task("build", "wheel", "Build a recipe from its pinned sources: fetch, compile, stage, pack, index.")
fetch = _build_task("fetch", "fetch", "Fetch a recipe's sources and dependencies into third_party/.")
build_ort = _build_task("build_ort", "build-ort", "Fetch, then build ONNX Runtime and its wheels.")
stage = _build_task("stage", "stage", "Stage ONNX Runtime's headers and libraries into ORT_HOME and verify them.")
build_genai = _build_task("build_genai", "build-genai", "Build GenAI's core against the staged ONNX Runtime.")
wheel = _build_task("wheel", "wheel", "Pack the wheels; whatever they need is built first.")


@task(help={"check": "compare with the checked-out upstream and print the drift", "recipe": "only this one"})
def recipes(_c: Context, check: bool = False, recipe: str = "") -> None:
    """List the recipes with their targets, Pythons and whether they are locked."""
    from recipes.commands import list_recipes

    print(list_recipes(check=check, recipe=recipe))


@task(
    help={
        "recipe": "name of a recipe, or a file; default: dml",
        "upgrade": "record this source or dependency anew (`all`: everything)",
        "check": "only compare the lock with upstream's own files in the checkouts",
        "source-mirror": _BUILD["source-mirror"],
    },
    auto_shortflags=False,
)
def lock(_c: Context, recipe: str = "dml", upgrade: str = "", check: bool = False, source_mirror: str = "") -> None:
    """Record what a recipe came to (commits, addresses, hashes) beside it, or verify it."""
    from recipes.locking import lock as make

    print(make(recipe, upgrade=upgrade, check=check, source_mirror=source_mirror))


@task
def index(_c: Context) -> None:
    """Write wheels/simple/ (a package index) and wheels/SHA256SUMS over all wheels in wheels/."""
    from recipes.lanes import index_all

    print(index_all())


@task(help={"all": "also downloads, environments, models, exports and the Wine runtime", "plan": "only list"})
def clean(_c: Context, all: bool = False, plan: bool = False) -> None:  # noqa: A002 - the option
    """Remove wheels, sources and build results, saying what and how much."""
    from front.clean import removals, remove
    from smoke.wine import mounts
    from wheelhouse.files import human_size

    found = removals(everything=all)
    print("\n".join(removal.line for removal in found) or "Nothing to remove.")
    if found and not plan:
        print(f"Removed {human_size(remove(found, away=mounts.remove))}.")


@task(help={"json": "facts and verdicts as JSON, for a bug report"})
def doctor(_c: Context, json: bool = False) -> None:
    """Say what this machine has, and what each lane would need."""
    from front.doctor import diagnose, to_json, to_text

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

    from recipes.audit.commands import audit_command

    audit_command(
        wheel, sys.argv, pair=pair, as_json=json, explain=explain, index=index, offline=offline, strict=strict
    )


_BACKENDS = "NAME or NAME:VARIANT; repeatable, or with commas; `invoke backends` lists them"
_MODEL = "name of a model recipe, a Hugging Face folder, or an id on the Hugging Face hub"
_NORMS = (
    "auto, always or never: scale norms that overflow in fp16 in DirectML exports; default: as the model's recipe says"
)


@task(
    iterable=["backend", "wheel", "lengths"],
    help={
        "backend": f"{_BACKENDS}; default: ort-cpu",
        "all-backends": "every backend that this machine can run; the others are listed with the reason",
        "model": _MODEL,
        "prompts": "UTF-8 file with one prompt a line",
        "max-new-tokens": "length of the answers",
        "repeat": "how often each answer is generated, for its speed (median and interval)",
        "lengths": "time prompts of so many tokens, too: 32,256,1024",
        "dump": "folder to keep every worker's tokens and logits in, for `invoke compare`",
        "report": "folder for report.json, report.html, junit.xml and the logs; default: a new one in the cache",
        "strict": "fail when something was skipped, too",
        "wheel": "wheel to run instead of the pinned one; repeatable, or with commas",
        "timeout": "seconds that one worker may take",
        "stable-norms": _NORMS,
    },
)
def smoke(
    _c: Context,
    backend: list[str],
    wheel: list[str],
    lengths: list[str],
    all_backends: bool = False,
    model: str = "smollm2-135m",
    prompts: str = "",
    max_new_tokens: int = 64,
    report: str = "",
    strict: bool = False,
    timeout: float = 900.0,
    stable_norms: str = "",
    repeat: int = 1,
    dump: str = "",
) -> None:
    """Run one model through the backends and say who agrees with the reference, token by token."""
    from smoke import commands

    commands.smoke(
        backends=split(backend),
        all_backends=all_backends,
        model=model,
        prompts=prompts,
        max_new_tokens=max_new_tokens,
        report=report,
        strict=strict,
        wheels=split(wheel),
        timeout=timeout,
        stable_norms=stable_norms,
        repeat=repeat,
        lengths=split(lengths),
        dump=dump,
    )


@task(
    help={
        "model": _MODEL,
        "prompts": "UTF-8 file with one prompt a line",
        "max-new-tokens": "length of the answers",
        "dump": "folder to put it into",
        "timeout": "seconds that it may take",
    },
    auto_shortflags=False,
)
def reference(
    _c: Context,
    model: str = "smollm2-135m",
    prompts: str = "",
    max_new_tokens: int = 64,
    dump: str = "",
    timeout: float = 900.0,
) -> None:
    """Compute the reference's answers and logits, or take them from the cache, for `invoke compare` elsewhere."""
    from smoke import commands

    print(commands.reference(model=model, prompts=prompts, max_new_tokens=max_new_tokens, dump=dump, timeout=timeout))


@task(
    iterable=["dump"],
    help={
        "dump": "folder or archive of dumps; repeatable; also after `--`: invoke compare -- here/ there.zip",
        "report": "folder for report.json, report.html and junit.xml; default: a new one in the cache",
        "strict": "fail when something could not be compared, too",
    },
    auto_shortflags=False,
)
def compare(_c: Context, dump: list[str], report: str = "", strict: bool = False) -> None:
    """Judge dumps of several machines, drivers or versions as a smoke run would; no model is needed."""
    import sys

    from recipes.audit.commands import after_dashes
    from smoke.comparing.telling import tell

    tell([*split(dump), *after_dashes(sys.argv)], report=report, strict=strict)


@task(
    iterable=["backend"],
    help={
        "backend": _BACKENDS,
        "variant": "int4, fp16...: of the backends that are named without one",
        "model": _MODEL,
        "stable-norms": _NORMS,
        "ignore-memory": "begin even where the memory is too small by all estimates",
    },
)
def export(
    _c: Context,
    backend: list[str],
    variant: str = "",
    model: str = "smollm2-135m",
    stable_norms: str = "",
    ignore_memory: bool = False,
) -> None:
    """Export a model in the formats of backends, and say where it is."""
    from smoke import commands

    made = commands.export(
        backends=split(backend), variant=variant, model=model, stable_norms=stable_norms, ignore_memory=ignore_memory
    )
    print("\n".join(made))


@task(help={"model": _MODEL}, auto_shortflags=False)
def advise(_c: Context, model: str = "smollm2-135m") -> None:
    """Say which backend to use for a model on this machine, and on what that rests."""
    from smoke.advice.advise import tell

    tell(model)


@task
def backends(_c: Context) -> None:
    """List the backends: ready, made on first use, or missing and what to do."""
    from smoke.commands import backends_table
    from wheelhouse.console import result

    result(backends_table())


@task(
    positional=["prompt"],
    help={
        "prompt": "what to ask, in quotation marks",
        "backend": "BACKEND or BACKEND:VARIANT (`invoke backends`); default ort-cpu:int4",
        "model": _MODEL,
        "max-new-tokens": "longest answer (default 256)",
        "chat": "go on with further turns, read from the terminal until its end (Ctrl-D)",
    },
    auto_shortflags=False,
)
def generate(
    _c: Context,
    prompt: str,
    backend: str = "ort-cpu:int4",
    model: str = "smollm2-135m",
    max_new_tokens: int = 256,
    chat: bool = False,
) -> None:
    """Answer a prompt on any backend, as it is written, and say how fast and on which device."""
    from smoke.generate import Request
    from smoke.generate import generate as answer

    answer(Request(prompt=prompt, backend=backend, model=model, max_new_tokens=max_new_tokens, chat=chat))


@task(
    help={
        "model": _MODEL,
        "platform": "3720 (Meteor Lake), 4000 (Lunar Lake), 5010 (Panther Lake), with commas; default: all",
        "max-prompt-len": "longest prompt in tokens (default 1024)",
        "save": "folder to keep the compiled blobs in",
        "json": "the findings as JSON",
    },
    auto_shortflags=False,
)
def npu_check(
    _c: Context,
    model: str = "smollm2-135m",
    platform: str = "",
    max_prompt_len: int = 1024,
    save: str = "",
    json: bool = False,
) -> None:
    """Compile a model for Intel NPUs that are not here, and say what to change where the compiler refuses."""
    from smoke.suites.npu_check.suite import run

    run(model=model, platforms=platform, max_prompt_len=max_prompt_len, save=save, as_text=not json)


@task(
    help={
        "record": "write the versions that Debian delivered to recipes/wine/trixie.lock, after the self-test",
        "host-wine": "use this machine's own Wine, 10 or newer, if it passes the self-test",
    }
)
def wine_setup(_c: Context, record: bool = False, host_wine: bool = False) -> None:
    """Make the Wine runtime, in which DirectML runs on Linux without a GPU, and test it. Needs root."""
    from smoke.wine.commands import wine_setup as set_up

    print(set_up(record=record, host_wine=host_wine))


@task
def wine_clean(_c: Context) -> None:
    """Remove the Wine runtime."""
    from smoke.wine.commands import wine_clean as clean_up

    print(clean_up())
