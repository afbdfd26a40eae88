"""The commands that check and run wheels and models: each parses, calls one function, prints."""

from __future__ import annotations

from invoke.context import Context

from front.door.declaring import task
from front.door.options import Option
from wheelhouse.console import show

MODEL = "smollm2-135m"


@task(
    rest="wheel",
    texts={
        "wheel": "file, folder or pattern, also without --wheel; default: all in wheels/",
        "strict": "fail for warnings, too",
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
    sarif: str = "",
) -> None:
    """Check wheels before anybody installs them."""
    from recipes.audit.commands import audit_command

    audit_command(
        wheel, pair=pair, as_json=json, explain=explain, index=index, offline=offline, strict=strict, sarif=sarif
    )


@task(
    texts={
        "backend": "NAME or NAME:VARIANT; repeatable, or with commas (`invoke backends`); default: ort-cpu",
        "strict": "fail when something was skipped, too",
    }
)
def smoke(
    _c: Context,
    backend: list[str],
    wheel: list[str],
    lengths: list[str],
    operator: list[str],
    all_backends: bool = False,
    model: str = MODEL,
    prompts: str = "",
    max_new_tokens: int = 64,
    report: str = "",
    strict: bool = False,
    timeout: float = 900.0,
    stable_norms: str = "",
    repeat: int = 1,
    dump: str = "",
    baseline: str = "",
    verify: bool = False,
    trust_remote_code: bool = False,
    pairs: bool = False,
    bisect: bool = False,
    shard: str = "",
    quick: bool = False,
) -> None:
    """Run a model through the backends and say who agrees.

    Each answers the same prompts as the reference, token by token and logit by logit.
    """
    from smoke import commands

    commands.smoke(
        backends=backend,
        all_backends=all_backends,
        model=model,
        prompts=prompts,
        max_new_tokens=max_new_tokens,
        report=report,
        strict=strict,
        wheels=wheel,
        timeout=timeout,
        stable_norms=stable_norms,
        repeat=repeat,
        lengths=lengths,
        dump=dump,
        operators=operator,
        baseline=baseline,
        verify=verify,
        trust=trust_remote_code,
        pairs=pairs,
        bisect=bisect,
        shard=shard,
        quick=quick,
    )


@task(
    texts={
        "prompts": "UTF-8 file with one prompt a line; default: our own, and a long text",
        "out": "folder for the repro of what is found; default: a new one in the cache",
    }
)
def bisect(
    _c: Context,
    left: str,
    right: str,
    model: str = MODEL,
    prompts: str = "",
    stable_norms: str = "",
    out: str = "",
) -> None:
    """Name the operator by which one backend parts from another.

    Both run the model; then each operator of the first layer that differs runs alone, on right inputs.
    """
    from pathlib import Path

    from smoke.narrowing.bisecting import Request
    from smoke.narrowing.bisecting import bisect as search

    search(
        Request(
            model=model,
            left=left,
            right=right,
            prompts=Path(prompts) if prompts else None,
            stable_norms=stable_norms,
            out=Path(out) if out else None,
        )
    )


@task(texts={"dump": "folder to put it into"})
def reference(
    _c: Context,
    model: str = MODEL,
    prompts: str = "",
    max_new_tokens: int = 64,
    dump: str = "",
    timeout: float = 900.0,
    trust_remote_code: bool = False,
) -> None:
    """Compute the reference's answers, for `invoke compare`.

    They are taken from the cache where they are there already.
    """
    from smoke import commands

    show(
        commands.reference(
            model=model,
            prompts=prompts,
            max_new_tokens=max_new_tokens,
            dump=dump,
            timeout=timeout,
            trust=trust_remote_code,
        )
    )


@task(
    rest="dump",
    texts={
        "dump": "folder or archive of dumps, CSV of who_what_benchmark, JSON of llm_bench; also without --dump",
        "report": "folder for report.json, report.html and junit.xml; default: a new one in the cache",
        "strict": "fail when something could not be compared, too",
    },
)
def compare(_c: Context, dump: list[str], report: str = "", strict: bool = False) -> None:
    """Judge dumps of several machines as a smoke run would.

    Of machines, drivers or versions; no model is needed.
    """
    from smoke.comparing.telling import tell

    tell(dump, report=report, strict=strict)


@task(
    texts={
        "backend": "NAME or NAME:VARIANT to take to another machine; repeatable, or with commas",
        "out": "the archive; default: bundle.zip",
        "wheel": "DirectML wheels to take instead of those in wheels/; repeatable, or with commas",
    }
)
def bundle(
    _c: Context,
    backend: list[str],
    wheel: list[str],
    lengths: list[str],
    model: str = MODEL,
    prompts: str = "",
    max_new_tokens: int = 64,
    timeout: float = 900.0,
    repeat: int = 1,
    out: str = "",
    no_model: bool = False,
) -> None:
    """Pack a backend for a machine that has nothing but Python.

    What it finds there comes home as an archive for `invoke compare`.
    """
    from smoke.comparing.bundle import bundle as pack
    from wheelhouse.given_wheels import wheels_meant

    pack(
        backends=backend,
        model=model,
        prompts=prompts,
        max_new_tokens=max_new_tokens,
        timeout=timeout,
        repeat=repeat,
        lengths=lengths,
        wheels=wheels_meant(wheel),
        out=out,
        no_model=no_model,
    )


@task(
    texts={
        "folder": Option(text="folder with folders that `invoke smoke --report FOLDER` made", value="FOLDER"),
        "out": "write the page here; default: history.html in that folder",
    }
)
def history(_c: Context, folder: str, out: str = "") -> None:
    """Show how smoke runs went over time."""
    from smoke.comparing.telling import tell_history

    tell_history(folder, out=out)
