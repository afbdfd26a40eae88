"""The commands that use a model, or make it ready to be used: each parses, calls one function, prints."""

from __future__ import annotations

from invoke.context import Context

from front.door.declaring import task
from front.tasks_prove import MODEL
from wheelhouse.console import show


@task
def generate(
    _c: Context,
    prompt: str,
    backend: str = "ort-cpu:int4",
    model: str = MODEL,
    max_new_tokens: int = 256,
    chat: bool = False,
    trust_remote_code: bool = False,
) -> None:
    """Answer a prompt on any backend, as it is written.

    Then say how fast that was, and on which device.
    """
    from smoke.generate import Request
    from smoke.generate import generate as answer

    asked = Request.asked(
        prompt, backend=backend, model=model, max_new_tokens=max_new_tokens, chat=chat, trust=trust_remote_code
    )
    answer(asked)


@task
def export(
    _c: Context,
    backend: list[str],
    variant: str = "",
    model: str = MODEL,
    stable_norms: str = "",
    ignore_memory: bool = False,
    trust_remote_code: bool = False,
) -> None:
    """Export a model in the formats of backends, and say where it is."""
    from smoke import commands

    made = commands.export(
        backends=backend,
        variant=variant,
        model=model,
        stable_norms=stable_norms,
        ignore_memory=ignore_memory,
        trust=trust_remote_code,
    )
    show("\n".join(made))


@task(
    texts={
        "out": "write a healed copy here; default: heal the folder itself, keeping the old graph beside the new one",
        "check": "only measure: which norms exceed fp16, and where",
        "prompts": "with --check: measure these prompts, too (UTF-8, one a line)",
        "stable_norms": "scale the norms that need it (auto), every fp16 norm, or none",
    }
)
def heal(
    _c: Context,
    folder: str,
    out: str = "",
    check: bool = False,
    prompts: str = "",
    json: bool = False,
    stable_norms: str = "auto",
) -> None:
    """Mend a model whose norms overflow fp16 on DirectML."""
    from smoke.heal import norm_table

    norm_table.show(folder, out=out, check=check, prompts=prompts, json=json, mode=stable_norms)


@task
def npu_check(
    _c: Context,
    platform: list[str],
    model: str = MODEL,
    max_prompt_len: int = 1024,
    save: str = "",
    json: bool = False,
) -> None:
    """Compile a model for Intel NPUs that are not here.

    Where the compiler refuses, say what to change.
    """
    from smoke.suites.npu_check.suite import run

    run(model=model, platforms=",".join(platform), max_prompt_len=max_prompt_len, save=save, as_text=not json)
