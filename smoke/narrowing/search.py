"""The search: the first stage whose error is new, and in it the first unit that is wrong on right inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from smoke.narrowing.errands import Errand, Pass, Sample, Tools, load, numbered
from smoke.narrowing.how_far_apart import Apart, apart, tolerance
from smoke.narrowing.parts_of_graphs import Plan, Unit, portions
from smoke.narrowing.sides import Side
from wheelhouse.errors import UnsupportedError

NEW = 4.0
"""So many times what came before has to be exceeded for a stage's error to be its own."""
TOGETHER = 4
"""Stages whose units are looked at in one go, once the first has shown nothing."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The worst that was seen of a unit alone, a stage or the logits: in which sample and pass, at which row."""

    apart: Apart
    sample: int = 0
    step: int = 0
    tolerance: float = 0.0

    @property
    def is_wrong(self) -> bool:
        """Whether it is beyond its tolerance."""
        return not self.apart.error <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A unit, what was seen of it, and where the left's values and its own lie."""

    unit: Unit
    seen: Seen
    values: tuple[Path, ...] = ()


@dataclass(kw_only=True)
class Found:
    """What a search has found. `culprit` is None where no unit is wrong by itself."""

    plan: Plan
    samples: list[Sample]
    stages: dict[int, Seen] = field(default_factory=dict)
    logits: Seen | None = None
    untapped: Seen | None = None
    culprit: Judged | None = None
    tried: list[Judged] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> bool:
        """Whether the two models give other logits."""
        return any(seen is not None and seen.is_wrong for seen in (self.logits, self.untapped))


@dataclass(kw_only=True)
class Search:
    """One search over two sides with the samples of `texts`, each of at most `most` tokens."""

    tools: Tools
    texts: Sequence[str]
    most: int

    def run(self) -> Found:
        """Search. Raise StepFailedError where a worker fails, UnsupportedError where nothing can be compared."""
        asked = {"do": "tokens", "folder": str(self.tools.left.folder.absolute()), "texts": list(self.texts)}
        ids, told = self.tools.graphs([{**asked, "most": self.most}, {"do": "plan"}])
        samples = [Sample(ids=tuple(each)) for each in ids if len(each) > 1]
        found = Found(plan=msgspec.convert(told, Plan), samples=samples)
        if not samples or not found.plan.units:
            raise UnsupportedError(
                "The two graphs have no values under the same names, so nothing can be compared.",
                remedy="Take two exports of one exporter, or one graph on two providers.",
            )
        self.tools.room = max(len(sample.ids) for sample in samples)
        self._whole(found)
        for stages in self._order(found):
            if found.culprit is None:
                self._scan(found, stages)
        return found

    @property
    def stored(self) -> tuple[str, ...]:
        """In which type the right side's weights are, where it is not the one that it gives: OpenVINO's exports."""
        return () if self.tools.right.divided else ("float16",)

    @property
    def alike(self) -> bool:
        """Whether both sides compute with the same kernels."""
        return self.tools.left.provider == self.tools.right.provider

    def _tokens(self, found: Found) -> int:
        return max(len(sample.ids) for sample in found.samples)

    def _whole(self, found: Found) -> None:
        """Run both models with the values between stages as outputs; where that is right, the right one without."""
        stages = [(stage, sum(value.width for value in stage.values)) for stage in found.plan.stages]
        tapped: list[Path] = []
        for part in portions(stages, self._tokens(found)):
            names = [value.name for stage in part for value in stage.values]
            left, right = self._tapped(found, names, names)
            for stage in part:
                found.stages[stage.number] = self._compared(found, [v.name for v in stage.values], left, right)
            tapped = tapped or [left, right]
        found.logits = self._compared(found, [found.plan.logits], *tapped)
        if found.logits.is_wrong:
            return
        folder = self.tools.fresh("untapped")
        graph = self.tools.right.graph
        if not self.tools.right.divided:
            graph = folder / "model.json"
            self.tools.graphs([{"do": "tap", "side": "right", "names": [found.plan.logits], "write": str(graph)}])
        task = self._model(found, graph, [found.plan.logits], folder)
        self.all_of(self.tools.right, [task], "as it is")
        found.untapped = self._compared(found, [found.plan.logits], tapped[0], folder)

    def _tapped(self, found: Found, lefts: Sequence[str], rights: Sequence[str] = ()) -> tuple[Path, Path]:
        """Run both models (or the left one) with further outputs; return the folders of what they gave."""
        folders = {side: self.tools.fresh(f"{side}-values") for side in ("left", "right")}
        wanted = {"left": list(lefts), "right": list(rights)}
        graphs = {side: folder / "tapped.onnx" for side, folder in folders.items()}
        sides = [side for side in folders if wanted[side]]
        self.tools.graphs(
            [{"do": "tap", "side": side, "names": wanted[side], "write": str(graphs[side])} for side in sides]
        )
        for side in sides:
            task = self._model(found, graphs[side], wanted[side], folders[side])
            self.all_of(getattr(self.tools, side), [task], "layers")
        return folders["left"], folders["right"]

    def _model(self, found: Found, graph: Path, outputs: Sequence[str], folder: Path) -> Errand:
        passes = tuple(
            Pass(save=file_of(folder, sample, step), outputs=tuple(outputs), ids=ids, goes_on=step > 0)
            for sample, step, ids in numbered(found.samples)
        )
        return Errand(name="model", graph=graph, passes=passes, whole=True)

    def all_of(self, side: Side, tasks: Sequence[Errand], what: str) -> None:
        """Run tasks of which none may fail. Raise UnsupportedError with what the runtime says."""
        refused = self.tools.run(side, tasks, what)
        if refused:
            raise UnsupportedError(f"{side.name} cannot run it: {next(iter(refused.values()))}")

    def _compared(self, found: Found, names: Sequence[str], left: Path, right: Path) -> Seen:
        """Return the worst of values that both models gave."""
        worst = Seen(apart=Apart(error=0.0))
        for sample, step, _ in numbered(found.samples):
            values, ours = (load(file_of(folder, sample, step), names) for folder in (left, right))
            for name in names:
                if name in values and name in ours:
                    kinds = {values[name].dtype.name, ours[name].dtype.name, *self.stored}
                    seen = Seen(apart=apart(ours[name], values[name]), sample=sample, step=step,
                                tolerance=tolerance(kinds, 0, ("", "")))  # fmt: skip
                    worst = max(worst, seen, key=lambda each: each.apart.error)
        return worst

    def _order(self, found: Found) -> Iterator[list[int]]:
        """Yield the stages to look into: those whose error is new, then the others that are wrong, then all.

        Nothing where the models agree.
        """
        before = 0.0
        new: list[int] = []
        wrong: list[int] = []
        rest: list[int] = []
        for number, seen in sorted(found.stages.items()):
            is_new = seen.is_wrong and not seen.apart.error <= NEW * before
            (new if is_new else wrong if seen.is_wrong else rest).append(number)
            before = max(before, seen.apart.error)
        if not new and not wrong and found.logits is not None and not found.logits.is_wrong:
            return
        yield from ([number] for number in new[:1])
        others = [*new[1:], *wrong, *rest]
        yield from (sorted(others[i : i + TOGETHER]) for i in range(0, len(others), TOGETHER))

    def _scan(self, found: Found, stages: Iterable[int]) -> None:
        """Run the units of stages alone on the left's inputs; keep the first that is wrong."""
        units = [unit for number in stages for unit in found.plan.of_stage(number)]
        for part in portions([(unit, unit.width) for unit in units], self._tokens(found)):
            judged = self.alone(found, part)
            found.tried += judged
            wrong = [each for each in judged if each.seen.is_wrong]
            if wrong:
                found.culprit = wrong[0]
                return

    def alone(self, found: Found, units: Sequence[Unit]) -> list[Judged]:
        """Run units alone on the right's provider with the left's inputs; return what was seen of each that ran."""
        left, _ = self._tapped(found, [name for unit in units for name in unit.values])
        folder = self.tools.fresh("units")
        kinds = {name: array.dtype.name for name, array in load(file_of(left, 0, 0)).items()}
        self.tools.graphs(
            [
                {"do": "alone", "side": "right", "unit": unit.outputs, "write": str(folder / f"{number}.onnx"),
                 "kinds": {name: kinds[name] for name in unit.inputs if name in kinds}}
                for number, unit in enumerate(units)
            ]
        )  # fmt: skip
        tasks = [self._unit(found, number, unit, left, folder) for number, unit in enumerate(units)]
        found.refused |= self.tools.run(self.tools.right, tasks, "operators")
        ran = [(number, unit) for number, unit in enumerate(units) if unit.name not in found.refused]
        return [self._judged(found, unit, left, folder / str(number)) for number, unit in ran]

    def _unit(self, found: Found, number: int, unit: Unit, left: Path, folder: Path) -> Errand:
        own = folder / str(number)
        own.mkdir()
        passes = tuple(
            Pass(save=file_of(own, sample, step), outputs=unit.outputs, feeds=file_of(left, sample, step))
            for sample, step, _ in numbered(found.samples)
        )
        return Errand(name=unit.name, graph=folder / f"{number}.onnx", passes=passes, whole=True)

    def _judged(self, found: Found, unit: Unit, left: Path, own: Path) -> Judged:
        worst = Seen(apart=Apart(error=0.0))
        wanted = {*unit.inputs, *unit.outputs}
        for sample, step, _ in numbered(found.samples):
            right, ours = load(file_of(left, sample, step), wanted), load(file_of(own, sample, step))
            taken = [right[name] for name in unit.inputs if name in right]
            products = next((array.shape[-1] for array in taken if array.ndim > 1), 0)
            for name in unit.outputs:
                kinds = {right[name].dtype.name, ours[name].dtype.name, *unit.kinds.values(), *self.stored}
                operators = (unit.operator, unit.left_operator)
                allowed = tolerance(kinds, products, operators, alike=self.alike)
                seen = Seen(apart=apart(ours[name], right[name]), sample=sample, step=step, tolerance=allowed)
                worst = max(worst, seen, key=lambda each: (each.is_wrong, each.apart.error))
        return Judged(unit=unit, seen=worst, values=(left, own))


def file_of(folder: Path, sample: int, step: int) -> Path:
    """Return the file of what a pass over a sample gave."""
    return folder / f"{sample}-{step}.npz"
