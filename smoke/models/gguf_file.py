"""A GGUF file of the user's: what it says is checked, by key and tensor, before it becomes a Hugging Face folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from smoke.models import template_trial
from smoke.models.check import config as configuration
from smoke.models.check import foreign, layouts
from smoke.models.check.template import require_template, tokens
from smoke.models.check.values import Values
from smoke.models.check.whole_folder import times
from smoke.models.converters import converter
from smoke.models.converters.from_gguf import carrying, words
from smoke.models.converters.from_gguf.architectures import gguf_name
from smoke.models.converters.from_gguf.carrying import Plan
from smoke.models.converters.from_gguf.fields import RefusedError
from smoke.models.converters.from_gguf.header import DamagedError
from smoke.models.from_recipe import FROM_GGUF
from smoke.models.model import Model, checked
from wheelhouse import manifests, steps
from wheelhouse.errors import InputError
from wheelhouse.files import require_space, sha256_bytes
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

_AGAIN = "Copy or download the file again."
_OTHERWISE = "Left out, it would be another model: give the model in Hugging Face's format, or another file of it."
_SPARE = 50_000_000
"""Bytes for the tokenizer and the configuration."""


def model(path: Path) -> Model:
    """Return the model in a GGUF file, as a folder of float32 weights that is made once for each content.

    Raise InputError when the file is none, or holds what cannot be carried over; ResourceError when the disk cannot
    hold the folder.
    """
    made = planned(path)
    path = path.resolve()
    marks = f"{path.stem}-{sha256_bytes(str(path).encode())[:16]}"
    memory = cache_dir("models", "folders", f"{marks}.json")
    content = manifests.content_hash(manifests.remember(path.parent, [path.name], memory))
    step = Step(
        name=f"model {path.name}",
        output=cache_dir("models", "gguf", marks),
        inputs={"file": content, "converter": " ".join(map(converter.key, FROM_GGUF))},
    )

    def make(partial: Path) -> None:
        _require_rendering(path, made)
        require_space(partial, 4 * sum(math.prod(t.shape) for t in made.names.values()) + _SPARE, f"The model {path}")
        converter.run(FROM_GGUF[0], str(path), str(partial), title=f"model {path.name}: GGUF to safetensors")
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    label = f"{made.architecture.model_type} from {path} (weights dequantized to float32)"
    return checked(name=path.stem, folder=step.output, key=manifests.key(step.output), label=label)


def planned(path: Path) -> Plan:
    """Return what becomes of a GGUF file, by its header. Raise InputError, naming what stands in the way."""
    if not path.is_file():
        raise InputError(f"The GGUF file {path} does not exist.", remedy="Check the spelling.")
    try:
        made = carrying.plan(path)
    except DamagedError as error:
        stranger = foreign.form(path)
        if stranger is not None and "GGUF" not in stranger.what:
            raise InputError(f"{path} {stranger.what}.", remedy=stranger.remedy) from error
        raise InputError(f"{path} {error}.", remedy=_AGAIN) from error
    except RefusedError as error:
        raise InputError(f"{path} cannot be used. {error}.", remedy=_OTHERWISE) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    require_template(made.words.template, f"{path}: tokenizer.chat_template")
    _require_layout(path, made)
    return made


def _require_rendering(path: Path, made: Plan) -> None:
    """Raise InputError when the file's chat template fails for a question: before an environment is made for it."""
    known = made.architecture
    settings = words.settings(made.words, known.tokenizers[made.words.kind], 1, "")
    template_trial.require(made.words.template, f"{path}: tokenizer.chat_template", tokens(Values(path, settings)))


def _require_layout(path: Path, made: Plan) -> None:
    """Raise InputError unless the tensors are those of the architecture, in the shapes that the keys say."""
    config = Values(path, made.config)
    sizes = configuration.sizes(config)
    configuration.rope(config, sizes.head_width, configuration.context(config))
    family = layouts.FAMILIES[made.architecture.model_type]
    expected = layouts.expected(family, sizes, config)
    found: Mapping[str, tuple[int, ...]] = {name: tensor.shape for name, tensor in made.names.items()}
    found = {**found, **{name: (length,) for name, length in made.zeros.items()}}
    missing = next((name for name in expected if name not in found), None)
    if missing is not None:
        raise InputError(f"{path} lacks the tensor '{gguf_name(made.architecture, missing)}'.", remedy=_AGAIN)
    beyond = next((name for name in found if name not in expected), None)
    if beyond is not None:
        raise InputError(f"{path} holds the tensor '{made.names[beyond].name}', beyond its block_count.", remedy=_AGAIN)
    other = next((name for name, shape in expected.items() if found[name] != shape), None)
    if other is not None:
        stored, said = times(found[other]), times(expected[other])
        named = gguf_name(made.architecture, other)
        raise InputError(
            f"{path}: the tensor '{named}' is of {stored}; by the file's keys it is of {said}.", remedy=_AGAIN
        )
