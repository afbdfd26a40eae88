"""Dumps made in code, healthy or broken in one way, for the tests of parity, gates and verdicts."""

import json
import math

import numpy as np
from safetensors.numpy import save_file

from smoke.parity import parity
from smoke.parity.dumps import Device, Dump, Library, PromptDump
from smoke.parity.judge import Expectation
from tests.smoke import fakes

VOCABULARY, TOKENS, PROMPTS = 500, 16, 3


def golden_logits(seed=0):
    """Logits as language models have them: a shift that softmax does not see, and one token well ahead."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(PROMPTS, TOKENS, VOCABULARY)) * 3 - 5
    best = random.integers(0, VOCABULARY, size=(PROMPTS, TOKENS))
    np.put_along_axis(logits, best[..., None], logits.max(axis=2, keepdims=True) + 2, axis=2)
    return logits.astype("<f4")


def write(folder, logits, *, nll=3.0, tokens=None, own_tokens=None, **changes):
    """Write a dump of `logits` (prompts, positions, vocabulary) into `folder`; return it.

    `tokens` are the golden answers (by default its own greedy choices), `own_tokens` those that it gave freely.
    """
    folder.mkdir(parents=True, exist_ok=True)
    golden = logits.argmax(axis=2) if tokens is None else tokens
    free = golden if own_tokens is None else own_tokens
    prompts = []
    for number, rows in enumerate(logits):
        save_file({"logits": rows.astype("<f4")}, folder / f"logits-{number}.safetensors")
        answer = tuple(int(t) for t in free[number])
        prompts.append(
            PromptDump(
                text=f"prompt {number}",
                ids=(1, 2, 3 + number),
                tokens=answer,
                pieces=tuple(f"<{t}>" for t in answer),
                answer="".join(f"<{t}>" for t in answer),
                first_seconds=0.1,
                seconds=1.0,
                logits=f"logits-{number}.safetensors",
                rechecked=len(answer),
            )
        )
    fields = {
        "prompts": tuple(prompts),
        "text_ids": (1, 2, 3),
        "nll": nll,
        "device": Device(name="CPU", evidence="a test"),
        "origin": {"model_key": fakes.KEY, "kind": "healthy"},
        "seconds": {"load": 1.0},
        "loaded": (Library(path="/lib/libruntime.so", size=1, sha256="0" * 64),),
    }
    dump = Dump(schema=2, status="ok", **(fields | changes))
    save(folder, dump)
    return dump


def save(folder, dump):
    import msgspec

    (folder / "dump.json").write_bytes(msgspec.json.encode(dump))


def golden(folder, seed=0):
    logits = golden_logits(seed)
    dump = write(folder, logits)
    return parity.golden(dump, folder, [p.tokens for p in dump.prompts]), logits


def expectation(gate, **changes):
    fields = {
        "gate": gate,
        "device": "CPU",
        "model_key": fakes.KEY,
        "export": "healthy",
        "libraries": ("libruntime",),
        "prompts": PROMPTS,
    }
    return Expectation(**(fields | changes))


def perturbed(logits, size, seed=1):
    """Add noise of `size` standard deviations of the logits."""
    noise = np.random.default_rng(seed).normal(size=logits.shape)
    with np.errstate(invalid="ignore"):  # logits that another fault has made infinite already
        spread = math.sqrt(((logits - logits.mean(axis=2, keepdims=True)) ** 2).mean())
        return (logits + noise * size * spread).astype("<f4")


def edit(folder, **fields):
    """Change top-level fields of dump.json as text, past the structures that would refuse."""
    path = folder / "dump.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields), encoding="utf-8")
