"""A runtime behind an engine that does one thing wrong. Loaded by the real worker.

Options: `runtime`, the engine that is spoilt; `fault`, in which way; the rest is that engine's.
"""

import importlib

import numpy as np
import worker_engine

STALE = (40, 41, 42, 43, 44)
ANSWERS = ("<|assistant|>", "<|im_start|>assistant")
"""What stands before an answer in a conversation, by model."""
MISSING = {"missing token": 1, "missing tokens": 8}

LONG = 1000
"""Tokens from which on there may be no room for one more."""


def _without_the_best(block):
    np.put_along_axis(block, block.argmax(-1, keepdims=True), block.min(), -1)
    return block


CHANGED = {"temperature": lambda block: block * 0.8, "best token banned": _without_the_best}
"""What becomes of logits."""
TEXTS = {"small letters": str.lower, "spaces lost": lambda text: " ".join(text.split())}
"""What becomes of a text before it is cut into tokens."""


class Faults:
    """Stands in front of an engine's class."""

    fault, answers = "", 0

    def generate(self, ids, limit, on_token=None):
        self.answers += 1
        if self.fault == "stale cache" and self.answers > 2:
            ids = [*STALE, *ids]
        done = super().generate(ids, limit)
        if self.fault == "garbage" and len(done.tokens) > 40:
            done.tokens[40:] = [(t + 17) % 400 + 20 for t in done.tokens[40:]]
        if self.fault == "newlines":
            done.tokens = [self.encode("\n")[-1]] * limit
        if self.fault == "ends early":
            done.tokens = done.tokens[:5]
        if self.fault == "no last token":
            done.tokens = done.tokens[:-1]
        if self.fault == "one token in between" and len(done.tokens) > 4:
            done.tokens[3] -= 1
        return done

    def pieces(self, ids, sizes):
        if self.fault == "stale cache" and self.answers > 2:
            rows = super().pieces([*STALE, *ids], [sizes[0] + len(STALE), *sizes[1:]])
            yield next(rows)[len(STALE) :]
            yield from rows
        elif self.fault in MISSING:
            gap = MISSING[self.fault]
            rows = super().pieces([*ids[:3], *ids[3 + gap :]], [sizes[0] - gap, *sizes[1:]])
            first = next(rows)
            yield np.concatenate([first[:3], *[first[2:3]] * gap, first[3:]])
            yield from rows
        elif self.fault == "first token twice" and len(ids) < LONG:
            rows = super().pieces([ids[0], *ids], [sizes[0] + 1, *sizes[1:]])
            yield next(rows)[1:]
            yield from rows
        elif self.fault in CHANGED:
            yield from (CHANGED[self.fault](np.array(block)) for block in super().pieces(ids, sizes))
        elif self.fault == "decoding":
            for (start, end), block in zip(worker_engine.bounds(sizes), super().pieces(ids, sizes)):  # noqa: B905
                yield block if end - start > 1 else block[:, ::-1].copy()
        else:
            yield from super().pieces(ids, sizes)

    def encode(self, text):
        return super().encode(TEXTS.get(self.fault, str)(text))

    def decode(self, ids):
        text = super().decode(ids)
        if self.fault == "no emoji":
            return "".join(c for c in text if ord(c) < 0x10000)
        if self.fault == "another city":
            return text.replace("a", "e")
        if self.fault == "end as text" and len(ids) > 1:
            return text + "<|end|>"
        return text

    def conversation(self, messages):
        if self.fault == "own system message":
            messages = [{"role": "system", "content": "You are a pirate."}, *messages]
        if self.fault == "only the last turn":
            messages = messages[-1:]
        text = super().conversation(messages)
        if self.fault != "no generation prompt":
            return text
        return min((text.rpartition(mark)[0] or text for mark in ANSWERS), key=len)

    def device(self):
        found = super().device()
        return {**found, "name": "GPU"} if self.fault == "device" else found


def load(job):
    chosen = dict(job["options"])
    fault, runtime = chosen.pop("fault", ""), importlib.import_module(chosen.pop("runtime"))
    globals().update(VERSIONS=runtime.VERSIONS, LIBRARIES=runtime.LIBRARIES)
    engine = runtime.load({**job, "options": chosen})
    engine.__class__ = type("Faulty", (Faults, type(engine)), {"fault": fault})
    return engine
