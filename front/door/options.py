"""What every option of every task says of itself: once here, so that it means the same wherever it is taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option's text for --help, how its value is called there, and which values it takes.

    `short` is its one-letter name. A value outside `choices` (compared without case) or below `least` is refused before
    anything starts. `verbatim` values are not divided at commas; those of
    names that are `lower` case are read as such.
    """

    text: str
    value: str = ""
    short: str = ""
    lower: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    verbatim: bool = False


OPTIONS: dict[str, Option] = {
    # what is built
    "recipe": Option(text="name of a recipe (`invoke recipes`), or a file", value="RECIPE", short="r"),
    "name": Option(text="how it is to be called: lower-case letters, digits, dots, dashes", value="NAME"),
    "base": Option(text="the recipe that it extends (`invoke recipes`)", value="RECIPE"),
    "python": Option(
        text="Python version such as 3.12; repeatable, or with commas; default: all of the recipe", value="VERSION"
    ),
    "lane": Option(
        text="compile (git, on Windows), or take PyPI's binaries; default: what fits this system",
        choices=("git", "published"),
    ),
    "target": Option(
        text="system to build for; default: this one",
        choices=("windows-x64", "windows-arm64", "linux-x64", "linux-arm64"),
    ),
    "arch": Option(text="processor to build for; default: this one", choices=("x64", "arm64")),
    "ort": Option(
        text="compile ONNX Runtime (build, default), or take the recipe's release archive",
        choices=("build", "published"),
    ),
    "ort_home": Option(text="your own ONNX Runtime: a folder with include/ and lib/", value="DIR"),
    "source_mirror": Option(text="folder or address with OWNER/NAME below it, in place of https://github.com/"),
    "upgrade": Option(text="take this one anew", value="NAME"),
    "outdated": Option(text="ask the index for newer releases of the pinned wheels, and say which pair they make"),
    "jobs": Option(text="parallel compilations; default: as many as processors and memory allow", least=1),
    "shell": Option(
        text="write the plan for this shell; default: what the target has", choices=("posix", "cmd", "powershell")
    ),
    "verify": Option(text="read everything in the cache before it is used, and make again what was damaged"),
    "plan": Option(text="print what would be done instead of doing it"),
    # what is proven
    "backend": Option(
        text="NAME or NAME:VARIANT; repeatable, or with commas; `invoke backends` lists them",
        value="BACKEND",
        short="b",
        lower=True,
    ),
    "variant": Option(text="int4, fp16...: of the backends that are named without one", value="VARIANT", lower=True),
    "all_backends": Option(
        text="every backend that this machine can run; the others are listed with the reason", short="a"
    ),
    "model": Option(
        text="a model recipe's name, a Hugging Face folder, a GGUF file, or an id on the hub", value="MODEL", short="m"
    ),
    "bisect": Option(text="name the operator where an ONNX backend DIVERGED (`invoke bisect`)"),
    "left": Option(
        text="what is right: NAME:VARIANT with an ONNX graph; NAME:VARIANT=FOLDER takes the graph in a folder",
        value="BACKEND",
        verbatim=True,
    ),
    "right": Option(text="what is to be judged, named in the same way", value="BACKEND", verbatim=True),
    "prompts": Option(text="UTF-8 file with one prompt a line", value="FILE"),
    "max_new_tokens": Option(text="longest answer in tokens", least=1),
    "max_prompt_len": Option(text="longest prompt in tokens", least=1),
    "report": Option(
        text="folder for report.json, report.html, junit.xml and the logs; default: a new one in the cache", value="DIR"
    ),
    "timeout": Option(text="seconds that one worker may take", value="SECONDS", least=1),
    "repeat": Option(text="how often each answer is generated, for its speed (median and interval)", least=1),
    "lengths": Option(text="time prompts of so many tokens, too: 32,256,1024", value="N"),
    "dump": Option(text="folder to keep every worker's tokens and logits in, for `invoke compare`", value="DIR"),
    "baseline": Option(
        text="an earlier report.json: what got worse, drifts more or is slower fails (exit code 14)", value="FILE"
    ),
    "no_model": Option(text="leave the model out: it is exported or copied there"),
    "wheel": Option(
        text="wheel to run instead of the pinned one: file or pattern; repeatable, or with commas",
        value="FILE",
        verbatim=True,
    ),
    "operator": Option(
        text="only cases whose name has this part, in dml-ops and webgpu-ops; repeatable", value="PART", verbatim=True
    ),
    "quick": Option(text="one prompt, a short context, nothing timed: whether backends agree at all, in seconds"),
    "pairs": Option(text="with --backend dml: every GenAI on every ONNX Runtime; writes docs/directml-pairs.md"),
    "shard": Option(
        text="take the part I of N, on each of N machines; `invoke compare` joins their dumps (--dump)", value="I/N"
    ),
    "stable_norms": Option(
        text="scale norms that overflow in fp16 in DirectML exports; default: as the model's recipe says",
        choices=("auto", "always", "never"),
    ),
    "trust_remote_code": Option(
        text="run the Python code that the model brings, where the pinned transformers has no class for it"
    ),
    "ignore_memory": Option(text="begin even where the memory is too small by all estimates"),
    "chat": Option(text="go on with further turns, read from the terminal until its end (Ctrl-D)"),
    "platform": Option(
        text="3720 (Meteor Lake), 4000 (Lunar Lake), 5010 (Panther Lake); with commas; default: all",
        choices=("3720", "4000", "5010"),
    ),
    "save": Option(text="folder to keep the compiled blobs in", value="DIR"),
    # what is said of it
    "json": Option(text="print it as JSON"),
    "sarif": Option(text="also write the findings to this file, as SARIF 2.1.0", value="FILE", verbatim=True),
    "strict": Option(text="fail for warnings, and for what was skipped, too"),
    "explain": Option(text="print what is in each wheel, where it came from, and why each broken rule exists"),
    "pair": Option(text="audit the two given wheels as one installation"),
    "index": Option(text="one more index that may satisfy requirements", value="URL|DIR"),
    "offline": Option(text="do not ask any index whether requirements can be satisfied"),
    "check": Option(text="only measure or compare, and say what was found"),
    "out": Option(text="write here", value="PATH"),
    "folder": Option(
        text="model folder for ONNX Runtime GenAI (genai_config.json), for instance a DirectML model", value="FOLDER"
    ),
    "prompt": Option(text="what to ask, in quotation marks; `-` reads it from standard input", value="PROMPT"),
    # what is kept
    "all": Option(text="also downloads, environments, models, exports and the Wine runtime"),
    "yes": Option(text="do not ask", short="y"),
    "record": Option(text="write the versions that Debian delivered to recipes/wine/trixie.lock, after the self-test"),
    "argument": Option(text="what python.exe is given, after `--`: -- -m invoke doctor", value="ARG", verbatim=True),
    "user": Option(text="whose profile; default: Zoë Müller, a name as awkward as they come", value="NAME"),
    "where": Option(text="only print where this system sees the checkout"),
    "host_wine": Option(text="use this machine's own Wine, 10 or newer, if it passes the self-test"),
}
"""By the parameter's name in the task's function, grouped as people think: build, prove, look, keep."""
