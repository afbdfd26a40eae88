"""Which files hold a model's weights, and which tensors are in them, by their headers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from smoke.models.check import foreign, safetensors, values
from smoke.models.check.safetensors import Tensor
from wheelhouse.errors import InputError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor: the file it is in (relative to the folder), and what the header says of it."""

    file: str
    tensor: Tensor


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The files, relative to `folder`, in order, and their tensors by name."""

    folder: Path
    files: tuple[str, ...]
    tensors: Mapping[str, Stored]


def find(folder: Path) -> Weights:
    """Return the weights that transformers would load. Raise InputError where there are none, or they contradict."""
    files, mapped = _files(folder)
    tensors: dict[str, Stored] = {}
    for file in files:
        for name, tensor in safetensors.tensors(folder / file).items():
            if name in tensors:
                raise InputError(
                    f"{folder}: the tensor '{name}' is in {tensors[name].file} and again in {file}.",
                    remedy="Two downloads are mixed: download the weights again, into an empty folder.",
                )
            tensors[name] = Stored(file=file, tensor=tensor)
    if mapped is not None:
        _agree(folder, tensors, mapped)
    return Weights(folder=folder, files=files, tensors=tensors)


def _files(folder: Path) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
    """Return the files, and what the index says about each tensor (None: there is no index)."""
    if not (folder / INDEX).exists():
        if (folder / SINGLE).is_file():
            return (SINGLE,), None
        raise foreign.dangling(folder / SINGLE) or no_model(folder, f"{folder} holds no {SINGLE}.")
    mapped = _weight_map(folder / INDEX)
    files = tuple(sorted(set(mapped.values())))
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise foreign.dangling(folder / missing[0]) or InputError(
            f"{folder} lacks {', '.join(missing[:_SHOWN])}{_more(missing[_SHOWN - 1 :])}, named in {INDEX}.",
            remedy="Complete the download.",
        )
    if (folder / SINGLE).exists() and files != (SINGLE,):
        raise InputError(
            f"{folder} holds two sets of weights: {SINGLE}, and {len(files)} files that {INDEX} names.",
            remedy=f"transformers would take {SINGLE}. Remove the set that is not meant.",
        )
    return files, mapped


def _weight_map(path: Path) -> Mapping[str, str]:
    index = values.read(path)
    content: Any = index.content.get("weight_map")
    again = "Download the index and the files again."
    if not isinstance(content, dict) or not content:
        raise index.refusal("weight_map", "not an object with a file for each tensor", again)
    for name, file in content.items():
        if not isinstance(file, str) or not file.endswith(".safetensors"):
            raise InputError(f"{path}: weight_map gives {values.shown(file)} for '{name}'.", remedy=again)
        parts = PurePosixPath(file)
        if parts.is_absolute() or ".." in parts.parts or "\\" in file or ":" in file:
            raise InputError(
                f"{path}: weight_map gives {values.shown(file)} for '{name}', outside the folder.", remedy=again
            )
    return content


def _agree(folder: Path, tensors: Mapping[str, Stored], mapped: Mapping[str, str]) -> None:
    """Raise InputError unless the index names exactly the tensors that the files hold."""
    misplaced = [n for n, file in mapped.items() if n not in tensors or tensors[n].file != file]
    if misplaced:
        name = misplaced[0]
        where = f"it is in {tensors[name].file}" if name in tensors else "no file holds it"
        raise InputError(
            f"{folder}: {INDEX} says that '{name}' is in {mapped[name]}, but {where}{_more(misplaced)}.",
            remedy="The index and the files are of two models, or of two downloads: get both again.",
        )
    unnamed = [name for name in tensors if name not in mapped]
    if unnamed:
        raise InputError(
            f"{folder}: {tensors[unnamed[0]].file} holds '{unnamed[0]}', which {INDEX} does not name{_more(unnamed)}.",
            remedy="The index and the files are of two models, or of two downloads: get both again.",
        )


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def no_model(folder: Path, otherwise: str) -> InputError:
    """Return the error for a folder that is no whole model: what it is instead, or `otherwise`."""
    names = [path.name for path in folder.iterdir() if path.is_file() and path.name != SINGLE]
    names += [f"{path.parent.name}/{path.name}" for path in folder.glob("*/config.json")]
    found = foreign.folder_form(str(folder), names)
    if found is not None:
        return InputError(f"{folder} {found.what}.", remedy=found.remedy)
    return InputError(
        otherwise, remedy="Save the model with `model.save_pretrained(folder)` and its tokenizer likewise."
    )
