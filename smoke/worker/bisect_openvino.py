"""Runs a whole model of OpenVINO with more outputs, or blocks cut out of it: what bisect_run.py is for ONNX graphs.

`<python of an environment> bisect_openvino.py JOB.json`; the job is the same, with `device`, `config` and `exact` as
for engine_openvino.py. A task's `graph` is a JSON file: `model` (an .xml), `outputs` (by name, the places that a value
is at: an operator's name and an output's number; several are side by side along the last axis), and for a block
`inputs` likewise, where values are put in. With `keep` the block is saved there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bisect_run
import numpy as np
import worker_openvino

Places = Sequence[tuple[str, int]]
BEAM = "beam_idx"


class OpenvinoRunner:
    """One device and its properties."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.core = worker_openvino.core()
        self.device = str(job["device"])
        self.config = {str(name): str(value) for name, value in job["config"].items()}
        if job["exact"]:
            worker_openvino.exact(self.device, self.config)

    def perform(self, task: Mapping[str, Any]) -> None:
        """Run a task's passes, each into a file of its own."""
        told = json.loads(Path(task["graph"]).read_text(encoding="utf-8"))
        model = self.core.read_model(told["model"])
        cut(model, told["outputs"], told.get("inputs"))
        if "inputs" in told:
            model = block(model, told["outputs"])
        if "keep" in told:
            import openvino

            openvino.save_model(model, told["keep"], compress_to_fp16=False)
        request = self.core.compile_model(model, self.device, self.config).create_infer_request()
        before: bisect_run.Arrays = {}
        for each in task["passes"]:
            if "ids" in each:
                if not each["goes_on"]:
                    request.reset_state()
                feeds = _fed(each["ids"], before if each["goes_on"] else {})
                before = feeds
            else:
                feeds = bisect_run.loaded(each["feeds"], list(told["inputs"]))
            found = {**feeds, **_run(request, model, feeds, list(told["outputs"]))}
            np.savez(each["save"], **{key.replace("/", "|"): value for key, value in found.items()})


def cut(model: Any, outputs: Mapping[str, Places], inputs: Mapping[str, Places] | None) -> None:
    """Make named outputs of values, and parameters of those in `inputs`."""
    from openvino import opset13 as operators

    known = {operator.get_friendly_name(): operator for operator in model.get_ordered_ops()}

    def output(place: tuple[str, int]) -> Any:
        return known[place[0]].output(place[1])

    made = []
    for name, places in outputs.items():
        several = [output(place) for place in places]
        whole = several[0] if len(several) == 1 else operators.concat(several, -1).output(0)
        result = operators.result(whole)
        result.set_friendly_name(f"{name}/taken")
        made.append(result)
    for name, places in (inputs or {}).items():
        _put_in(model, name, [output(place) for place in places], made)
    model.add_results(made)


def _put_in(model: Any, name: str, outputs: Sequence[Any], results: Sequence[Any]) -> None:
    """Let what reads a value read a new parameter, but for the results."""
    import openvino
    from openvino import opset13 as operators

    if outputs[0].get_node().get_type_name() == "Parameter":
        return
    shapes = [output.get_partial_shape() for output in outputs]
    shape = shapes[0]
    sizes = [each[-1].get_length() for each in shapes] if len(shapes) > 1 else []
    if sizes:
        shape[-1] = openvino.Dimension(sum(sizes))
    given = operators.parameter(shape, outputs[0].get_element_type())
    given.set_friendly_name(name)
    model.add_parameters([given])
    pieces = operators.variadic_split(given, -1, sizes).outputs() if sizes else given.outputs()
    own = {result.get_friendly_name() for result in results}
    for output, piece in zip(outputs, pieces):  # noqa: B905 - Python 3.9 knows no strict
        for reader in output.get_target_inputs():
            if reader.get_node().get_friendly_name() not in own:
                reader.replace_source_output(piece)


def block(model: Any, outputs: Mapping[str, Places]) -> Any:
    """Return the part of a model that is cut, without what it no longer needs."""
    import openvino

    results = [r for r in model.get_results() if r.get_friendly_name().removesuffix("/taken") in outputs
               and r.get_friendly_name().endswith("/taken")]  # fmt: skip
    needed = _behind(results)
    parameters = [p for p in model.get_parameters() if p.get_friendly_name() in needed]
    return openvino.Model(results, parameters, "block")


def _behind(results: Sequence[Any]) -> set[str]:
    waiting, seen = list(results), set()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    return seen


def _fed(ids: Sequence[int], before: Mapping[str, Any]) -> bisect_run.Arrays:
    past = before["attention_mask"].shape[1] if before else 0
    return bisect_run.text_of(ids, past)


def _run(request: Any, model: Any, given: Mapping[str, Any], outputs: Sequence[str]) -> bisect_run.Arrays:
    feeds: dict[Any, Any] = {}
    for number, value in enumerate(model.inputs):
        name = value.get_node().get_friendly_name()
        array = np.zeros(1, np.int32) if name == BEAM else given[name]
        feeds[number] = array.astype(value.get_element_type().to_dtype())
    request.infer(feeds)
    names = [result.get_friendly_name() for result in model.get_results()]
    return {name: request.get_output_tensor(names.index(f"{name}/taken")).data.copy() for name in outputs}


def main(arguments: list[str]) -> int:
    """Run the tasks of the job file; 0 when each was run or refused."""
    return bisect_run.run_all(arguments[0], OpenvinoRunner)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
