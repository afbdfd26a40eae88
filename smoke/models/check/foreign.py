"""Files and folders that are something else than they seem, named as what they are."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wheelhouse.errors import InputError

_AGAIN = "Copy or download the file again."
_LOOK = 512


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file or folder is ("is a Git LFS pointer…", to follow its name), and what to do."""

    what: str
    remedy: str


_STARTS = (
    (b"version https://git-lfs.github.com/", Form(
        what="is a Git LFS pointer, not the file itself", remedy="In its repository: git lfs pull")),
    (b"<!doctype html", Form(
        what="is an HTML page", remedy="A page was downloaded in place of the file: download the file itself.")),
    (b"<html", Form(
        what="is an HTML page", remedy="A page was downloaded in place of the file: download the file itself.")),
    (b"<?xml", Form(what="is an XML document", remedy=_AGAIN)),
    (b"gguf", Form(what="is a GGUF file", remedy="Give the file itself, under a name that ends in .gguf.")),
    (b"pk\x03\x04", Form(
        what="is a zip archive (as torch.save writes)",
        remedy="Save the model with `model.save_pretrained(folder)`, which writes safetensors.")),
    (b"\x80\x02", Form(
        what="is a pickle", remedy="Save the model with `model.save_pretrained(folder)`, which writes safetensors.")),
    (b"\x1f\x8b", Form(what="is compressed with gzip", remedy="Unpack it.")),
)  # fmt: skip


def form(path: Path) -> Form | None:
    """Return what a file is when it is plainly not what its name says: empty, a pointer, a page; None: no objection."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LOOK)
    except OSError:
        return None  # whoever reads it says why
    if not start:
        return Form(what="is empty", remedy=_AGAIN)
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((found for begin, found in _STARTS if plain.startswith(begin)), None)


def dangling(path: Path) -> InputError | None:
    """Return the error for a link that leads nowhere, as a download cache has them after a part was deleted."""
    if not path.is_symlink() or path.exists():
        return None
    return InputError(f"{path} is a link to {path.readlink()}, which is not there.", remedy="Download the file again.")


_FOLDERS: tuple[tuple[tuple[str, ...], Form], ...] = (
    (("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"), Form(
        what="holds a LoRA adapter, not a model",
        remedy="Merge it (peft: merge_and_unload), save the result with its tokenizer, and give that folder.")),
    (("*.gguf",), Form(what="holds GGUF", remedy="Give one of the files: --model {folder}/{name}")),
    (("consolidated*.safetensors", "consolidated*.pth", "params.json"), Form(
        what="holds the weights in their author's own format ({name})",
        remedy="Take the model in Hugging Face's format: config.json and model*.safetensors.")),
    (("genai_config.json",), Form(
        what="is an export for ONNX Runtime GenAI", remedy="Give the model that it was exported from.")),
    (("openvino_model.xml",), Form(
        what="is an export for OpenVINO", remedy="Give the model that it was exported from.")),
    (("*.onnx",), Form(what="holds an ONNX graph", remedy="Give the model that it was exported from.")),
    (("model_index.json",), Form(
        what="is a pipeline of several models", remedy="Give the folder of its language model.")),
    (("model-*-of-*.safetensors",), Form(
        what="holds shards ({name}…) without model.safetensors.index.json, which says what belongs where",
        remedy="Complete the download.")),
    (("*.safetensors",), Form(
        what="holds {name}, but no model.safetensors", remedy="If these are the weights, name the file so.")),
    (("*.bin", "*.pt", "*.pth", "*.ckpt"), Form(
        what="holds its weights as pickles only ({name}), which may run code when they are read",
        remedy="Save the model with `model.save_pretrained(folder)`, which writes safetensors.")),
    (("*.h5", "*.msgpack", "*.npz"), Form(
        what="holds the weights of another framework ({name})",
        remedy="Save the model with `model.save_pretrained(folder)` of transformers.")),
    (("*/config.json",), Form(what="holds no model itself", remedy="Did you mean {folder}/{parent}?")),
)  # fmt: skip


def folder_form(folder: str, names: Iterable[str]) -> Form | None:
    """Return what a folder with these files is, when it is no whole model folder; None: nothing known."""
    ordered = sorted(names)
    for patterns, found in _FOLDERS:
        for pattern in patterns:
            match = next((name for name in ordered if fnmatch.fnmatchcase(name, pattern)), None)
            if match is not None:
                fill = {"name": match, "folder": folder, "parent": match.rsplit("/", 1)[0]}
                return Form(what=found.what.format(**fill), remedy=found.remedy.format(**fill))
    return None
