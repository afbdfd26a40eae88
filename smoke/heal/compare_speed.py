"""Whether a healed model is as fast as the original: tokens per second of processor time, in turns in one process.

One thread, and its processor time instead of the clock's: what else the machine does hardly shows.

Stand-alone: `python compare_speed.py FOLDER HEALED ROUNDS` in an environment with ONNX Runtime GenAI. Prints the
median over the rounds of healed to original.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime_genai as og

PROMPT_TOKENS = 16
NEW_TOKENS = 24


def load(folder: str) -> og.Model:
    """Load a model folder on the CPU provider, whatever it was made for."""
    config = og.Config(folder)
    config.clear_providers()
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": 1}}}}))
    return og.Model(config)


def tokens_per_second(model: og.Model) -> float:
    """Generate NEW_TOKENS after a fixed prompt of token ids; the prompt itself is not counted."""
    parameters = og.GeneratorParams(model)
    length = PROMPT_TOKENS + NEW_TOKENS
    parameters.set_search_options(max_length=length, min_length=length, do_sample=False)  # an early end would not count
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.arange(5, 5 + PROMPT_TOKENS, dtype=np.int32))
    generator.generate_next_token()
    started = time.process_time()
    while not generator.is_done():
        generator.generate_next_token()
    return (NEW_TOKENS - 1) / (time.process_time() - started)


def main() -> None:
    """Measure in turns, so that a busy moment hits both alike, and print the result as JSON."""
    folders, rounds = sys.argv[1:3], int(sys.argv[3])
    models = [load(folder) for folder in folders]
    samples: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        pairs = list(zip(models, samples, strict=True))
        for model, taken in pairs if number % 2 else reversed(pairs):
            speed = tokens_per_second(model)
            if number:  # the first round warms up
                taken.append(speed)
    ratios = [healed / original for original, healed in zip(*samples, strict=True)]
    original, healed = (statistics.median(taken) for taken in samples)
    print(json.dumps({"original": original, "healed": healed, "ratio": statistics.median(ratios), "rounds": rounds}))


if __name__ == "__main__":
    main()
