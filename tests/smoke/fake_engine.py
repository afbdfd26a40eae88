"""A stand-in for a runtime: a tiny deterministic "model" in numpy, and every fault that a real one has been seen with.

Loaded by the real worker, in a real process. Options: `fault` (a name below), `noise` (standard deviation added to the
logits, in units of their own), `device` (what the runtime claims).
"""

import atexit
import ctypes
import errno
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import worker_dump
import worker_engine

VERSIONS = ("numpy",)
LIBRARIES = ("_multiarray_umath",)
VOCABULARY, END = 64, 2


class FakeEngine(worker_engine.Engine):
    def __init__(self, job):
        self.job = job
        self.options = worker_engine.options(job)
        self.fault = self.options.get("fault", "")
        self.answers = 0
        self.size = 80 if self.fault == "other vocabulary" else VOCABULARY
        self.scores = self.fault != "no logits" and not self.options.get("shows_no_logits")
        seed = int(Path(job["model"], "seed").read_text(encoding="utf-8"))
        self.weights = np.random.default_rng(seed).normal(size=(3, self.size, self.size)).astype("f4") * 3

    def _row(self, ids, decoding):
        last = [i % self.size for i in ([0, 0, *ids])[-3:]]
        row = sum(self.weights[k, token] for k, token in enumerate(last)).copy()
        row[END] -= 20  # answers go on to the limit
        if self.options.get("noise"):
            noisy = np.random.default_rng([*last, len(ids)]).normal(size=self.size)
            row = row + (noisy * self.options["noise"] * row.std()).astype("f4")
        if self.fault == "nan" and len(ids) % 7 == 0:
            row[5] = np.nan
        if self.fault == "infinite":
            row[5] = np.inf
        if self.fault == "wrong decode" and decoding:
            row = row[::-1].copy()
        if self.fault == "constant":
            row = np.zeros_like(row)
            row[9] = 1
        return row

    def template(self, message):
        return f"<user>{message}<answer>"

    def conversation(self, messages):
        if self.fault == "no template":
            raise ValueError("no method named replace")
        rendered = "".join(f"<{m['role']}>{m['content']}" for m in messages)
        return rendered if self.fault == "no generation prompt" else rendered + "<answer>"

    def added_tokens(self):
        return {"<answer>": 1}

    def encode(self, text):
        if text == "<answer>" and self.fault != "special as text":
            return [1]
        shift = 5 if self.fault == "other tokenizer" else 4
        return [ord(c) % 50 + shift for c in text]

    def decode(self, ids):
        text = "".join(chr(96 + i) for i in ids)
        if self.fault == "other city":
            return text[::-1]
        if self.fault == "half a stream" and len(ids) > 9:
            return text[:4] + "!" + text[5:]
        return text

    def generate(self, ids, limit, on_token=None):
        if self.fault == "hang":
            time.sleep(3600)
        if self.fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "segmentation fault":
            ctypes.string_at(0)
        if self.fault == "exception":
            raise RuntimeError("the kernel does not exist")
        if self.fault == "disk full":
            worker_dump.write_rows = self._no_space
        self._require_room(len(ids) + limit)
        self.answers += 1
        tokens = []
        while len(tokens) < limit:
            seen = [*ids, *tokens] if self.fault != "late" or len(ids) < 200 else [9, 9, 9]
            tokens.append(int(np.nanargmax(self._row(seen, decoding=bool(tokens)))))
            if self.fault == "ends early" and len(tokens) == 5:
                break
        if self.fault == "unsteady" and self.answers > 3:  # the warm-up and two prompts
            tokens[-1] += 1
        return worker_engine.Generation(tokens, 0.001, 0.002 * len(tokens))

    def _require_room(self, tokens):
        if tokens > self.options.get("context", 10_000):
            raise ValueError(f"{tokens} tokens are more than {self.options['context']}")

    @staticmethod
    def _no_space(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def pieces(self, ids, sizes):
        self._require_room(len(ids))
        for start, end in worker_engine.bounds(sizes):
            late = self.fault == "late" and start >= 200
            seen = [ids[: i + 1] if not late else [i, i, i] for i in range(start, end)]
            yield np.array([self._row(one, decoding=end - start == 1) for one in seen])

    def device(self):
        name = self.options.get("device", self.job["device"])
        return {"name": name, "evidence": "the stand-in says so"}

    def notes(self):
        return list(self.options.get("notes", []))

    def matrices(self):
        return list(self.options.get("weights", []))

    def devices(self):
        return dict(self.options.get("devices", {}))


def _spoil(job, fault):
    folder = Path(job["output"])
    if fault == "truncated logits":
        os.truncate(folder / "logits-1.safetensors", 200)
    if fault == "no logits file":
        (folder / "logits-0.safetensors").unlink()
    if fault == "malformed dump":
        (folder / "dump.json").write_text('{"schema": 1, "status": "ok", "prompts": [', encoding="utf-8")
    if fault == "no dump":
        (folder / "dump.json").unlink()
    if fault == "crash at exit":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGABRT)


def load(job):
    fault = worker_engine.options(job).get("fault", "")
    if fault == "unavailable":
        raise worker_engine.UnavailableError("There is no such device.", "Buy one.")
    if fault == "hang while loading":
        time.sleep(3600)
    atexit.register(_spoil, job, fault)
    return FakeEngine(job)
