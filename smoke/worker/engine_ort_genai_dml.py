"""Engine: ONNX Runtime GenAI on DirectML, with proof of where the nodes of the graph ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import engine_ort_genai
import worker_engine
import worker_profile

VERSIONS = engine_ort_genai.VERSIONS
LIBRARIES = engine_ort_genai.LIBRARIES


class DirectMlEngine(worker_profile.ProfiledEngine):
    """A model folder on DirectML."""

    def pieces(self, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[Any]:
        """See Engine. Everything up to a piece is computed anew with it, and the single steps after it."""
        for start, end, steps in worker_engine.with_steps(sizes):
            for number, rows in enumerate(self.score(ids[: end + steps], steps)):
                yield rows[start:] if number == 0 else rows

    def score(self, ids: Sequence[int], steps: int) -> Iterator[Any]:
        """See Engine. GenAI on DirectML takes tokens once only, so the single steps are its own generation.

        As long as its own choice is the given token, the key-value cache is used as in generation; from a token where
        it is not, a new generator is given everything up to there.
        """
        import numpy as np

        done = len(ids) - steps
        generator: Any = None
        while done <= len(ids):
            if generator is None:
                generator = self._generator(len(ids) + 1)
                generator.append_tokens(self._ids(ids[:done]))
                rows = np.asarray(generator.get_output("logits"))[0].astype(np.float32)
                yield rows if done == len(ids) - steps else rows[-1:]
                generator.generate_next_token()
            if done == len(ids):
                return
            chosen = int(generator.get_next_tokens()[0])
            done += 1
            if chosen != ids[done - 1] or generator.is_done():
                generator = None
                continue
            generator.generate_next_token()
            yield np.asarray(generator.get_output("logits"))[0].astype(np.float32)


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the model folder `job["model"]` on DirectML; options as for engine_ort_genai."""
    return DirectMlEngine(*worker_profile.open_profiled(job, "dml"))
