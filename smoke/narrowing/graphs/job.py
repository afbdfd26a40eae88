"""One job: a list of actions on a left and a right graph; what they tell goes into a JSON file.

The job names the graphs (`left`, `right`), the file for the answer (`answer`) and `actions`, each with its `do`:
"plan" (stages and units), "tokens" (of `texts`, with the tokenizer in `folder`), "tap" (`side`, `names`, `write`),
"alone" (`side`, `unit`, `kinds`, `write`, `whole`) and "weights" (what differs in the weights of `unit`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from . import cutting
from .openvino_blocks import Blocks, spec
from .structure import Graph, UnreadableError
from .units import Unit, differences, partner, units


class Pair:
    """Two graphs, and their units over the values that both have."""

    def __init__(self, left: Path, right: Path) -> None:
        self.left = Graph(left)
        self.right = Blocks(right, self.left) if right.suffix == ".xml" else Graph(right)

    @cached_property
    def rights(self) -> list[Unit]:
        """The units of the right graph."""
        return units(self.right, self.left)

    @cached_property
    def lefts(self) -> dict[str, Unit]:
        """The units of the left graph by each value that they make."""
        return {name: unit for unit in units(self.left, self.right) for name in unit.outputs}

    def partner(self, unit: Unit) -> Unit | None:
        """Return the left unit that makes the same values."""
        return partner(unit, (self.lefts[name] for name in unit.outputs if name in self.lefts))

    def unit(self, side: str, outputs: list[str]) -> Unit:
        """Return a unit of either graph by what it makes."""
        if side == "left":
            return self.lefts[outputs[0]]
        return next(unit for unit in self.rights if list(unit.outputs) == outputs)


def plan(pair: Pair) -> dict[str, Any]:
    """Return the stages with the values between them, and the units of the right graph with what is special of them."""
    readers = pair.right.readers()
    stages: dict[int, list[dict[str, Any]]] = {}
    told = []
    for unit in pair.rights:
        stage = pair.right.stages[unit.nodes[-1]]
        crossing = stages.setdefault(stage, [])
        for name in unit.outputs:
            later = any(pair.right.stages[i] > stage for i in readers.get(name, ()))
            if later or (name in pair.right.outputs and "present" not in name):
                crossing.append({"name": name, "width": pair.right.width(name)})
        other = pair.partner(unit)
        told.append(
            {
                "name": unit.name,
                "operator": unit.last.op_type,
                "stage": stage,
                "inputs": unit.inputs,
                "outputs": unit.outputs,
                "left_inputs": other.inputs if other else (),
                "left_operator": other.last.op_type if other else "",
                "differences": differences(unit, other) if not isinstance(pair.right, Blocks) else (),
                "made_of": unit.last.doc_string if isinstance(pair.right, Blocks) else "",
                "kinds": {name: k for name in (*unit.inputs, *unit.outputs) if (k := pair.right.kind(name))},
                "width": sum(pair.right.width(name) for name in (*unit.inputs, *unit.outputs)),
            }
        )
    listed = [{"number": number, "values": values} for number, values in sorted(stages.items())]
    return {"stages": listed, "units": told, "logits": pair.right.model.graph.output[0].name}


def tokens(action: Mapping[str, Any]) -> list[list[int]]:
    """Return the token ids of texts, each cut to at most so many."""
    from tokenizers import Tokenizer

    path = Path(action["folder"], "tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    return [tokenizer.encode(text).ids[: action["most"]] for text in action["texts"]]


def _tap(pair: Pair, action: Mapping[str, Any]) -> None:
    graph = getattr(pair, action["side"])
    (spec if isinstance(graph, Blocks) else cutting.tapped)(graph, action["names"], Path(action["write"]))


def _alone(pair: Pair, action: Mapping[str, Any]) -> None:
    unit = pair.unit(action["side"], action["unit"])
    target, whole = Path(action["write"]), action.get("whole", False)
    if isinstance(unit.graph, Blocks):
        spec(unit.graph, unit.outputs, target, unit.inputs, whole=whole)
    else:
        cutting.alone(unit, action["kinds"], target, whole=whole)


def _weights(pair: Pair, action: Mapping[str, Any]) -> list[str]:
    unit = pair.unit("right", action["unit"])
    other = None if isinstance(pair.right, Blocks) else pair.partner(unit)
    return cutting.weights_apart(unit, other) if other else []


_ACTIONS: dict[str, Callable[[Pair, Mapping[str, Any]], Any]] = {
    "plan": lambda pair, _: plan(pair),
    "tokens": lambda _, action: tokens(action),
    "tap": _tap,
    "alone": _alone,
    "weights": _weights,
}


def main(arguments: list[str]) -> int:
    """Do the job in the file that the one argument names."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        pair = Pair(Path(job["left"]), Path(job["right"]))
        answer: Any = [_ACTIONS[action["do"]](pair, action) for action in job["actions"]]
    except UnreadableError as error:
        answer = {"error": str(error)}
    Path(job["answer"]).write_text(json.dumps(answer, default=list), encoding="utf-8", newline="\n")
    return 0
