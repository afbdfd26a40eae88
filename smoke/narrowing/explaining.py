"""What is special about the operator that was found, and the folder that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke.narrowing import repro_folder, shrinking
from smoke.narrowing.errands import Errand, Pass, load, save
from smoke.narrowing.how_far_apart import apart
from smoke.narrowing.parts_of_graphs import counterpart
from smoke.narrowing.search import Found, Judged, Search, file_of
from smoke.narrowing.shrinking import Tried
from smoke.narrowing.sides import EXECUTION_PROVIDERS, Side
from wheelhouse import process
from wheelhouse.paths import log_dir
from wheelhouse.process import Completed

ALLOWED_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """The same kind of operator elsewhere: how far off it is, and the largest number that goes in."""

    judged: Judged
    largest: float


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What was found out. `wrong` and `right`: the inputs at the edge; `right` is None where every size is wrong."""

    folder: Path
    wrong: Tried
    right: Tried | None
    shapes: dict[str, str]
    on_left: float | None
    """The error of the right's operator on the left's provider; None where that cannot run it."""
    weights: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    reproduced: dict[str, bool] = field(default_factory=dict)
    """Whether the script says that the operator is wrong, by the side it was run on."""


@dataclass(frozen=True, kw_only=True)
class Explaining:
    """The search, what it found, and the folder for it."""

    search: Search
    found: Found
    culprit: Judged
    out: Path

    def explain(self) -> Explained:
        """Shrink the input, look at the neighbours, write the repro and run it on both sides."""
        tools, unit = self.search.tools, self.culprit.unit
        self.out.mkdir(parents=True, exist_ok=True)
        right_name = repro_folder.MODEL if tools.right.divided else repro_folder.BLOCK
        models = {side: self.out / name for side, name in (("right", right_name), ("left", "left.onnx"))}
        *_, weights = tools.graphs(
            [
                *({"do": "alone", "side": side, "unit": unit.outputs, "write": str(path), "kinds": {}, "whole": True}
                  for side, path in models.items()),
                {"do": "weights", "unit": unit.outputs},
            ]
        )  # fmt: skip
        values = load(file_of(self.culprit.values[0], self.culprit.seen.sample, self.culprit.seen.step))
        names = dict.fromkeys((*unit.inputs, *unit.left_inputs))
        feeds = {name: self._typed(values[name], name) for name in names if name in values}
        tried = self._measured(self._candidates(feeds), models)
        wrong, right = self._edge(tried, models)
        on_left = self._written(wrong, models)
        return Explained(
            folder=self.out,
            wrong=wrong,
            right=right,
            shapes={name: f"{feeds[name].dtype} {list(wrong.feeds[name].shape)}" for name in feeds},
            on_left=on_left,
            weights=tuple(weights),
            neighbours=self._neighbours(),
            reproduced={side.label: self._reproduced(side) for side in self._able},
        )

    def _typed(self, array: Any, name: str) -> Any:
        kind = self.culprit.unit.kinds.get(name)
        return array if kind is None else array.astype(kind)

    def _candidates(self, feeds: dict[str, Any]) -> list[Tried]:
        single = shrinking.one_row(feeds, self.culprit.seen.apart.row)
        alone = [] if single is None else shrinking.halvings(single[1], single[0])
        return [*alone, *shrinking.halvings(feeds)]

    def _measured(self, tried: Sequence[Tried], models: dict[str, Path]) -> list[tuple[Tried, bool]]:
        """Run inputs on both sides and say of each whether the right side is wrong."""
        results = [self._results(side, models[name], tried) for name, side in self._sides]
        allowed = self.culprit.seen.tolerance
        return [
            (each, any(not apart(ours[name], right[name]).error <= allowed for name in self.culprit.unit.outputs))
            for each, right, ours in zip(tried, *results, strict=True)
        ]

    @property
    def _able(self) -> tuple[Side, ...]:
        """The sides that can run what was found."""
        tools = self.search.tools
        return (tools.left, tools.right) if tools.right.divided else (tools.right,)

    @property
    def _sides(self) -> tuple[tuple[str, Side], ...]:
        return (("left", self.search.tools.left), ("right", self.search.tools.right))

    def _results(self, side: Side, model: Path, tried: Sequence[Tried]) -> list[dict[str, Any]]:
        folder = self.search.tools.fresh("inputs")
        passes = tuple(
            Pass(save=folder / f"{n}-out.npz", outputs=self.culprit.unit.outputs,
                 feeds=save(folder / f"{n}.npz", each.feeds))
            for n, each in enumerate(tried)
        )  # fmt: skip
        errand = Errand(name=self.culprit.unit.name, graph=model, passes=passes, whole=True)
        self.search.all_of(side, [errand], "smaller inputs")
        return [load(each.save) for each in passes]

    def _edge(self, tried: list[tuple[Tried, bool]], models: dict[str, Path]) -> tuple[Tried, Tried | None]:
        """Return the smallest input that is wrong and the largest that is right: of one row where that is enough."""
        rows = [pair for pair in tried if pair[0].row is not None]
        of = rows if rows and rows[0][1] else [pair for pair in tried if pair[0].row is None]
        wrong, right = shrinking.edge(of)
        if right is None:
            larger = shrinking.doublings(of[0][0].feeds, of[0][0].row)
            wrong, right = shrinking.edge([of[0], *self._measured(larger, models)])
        if right is None or wrong is right:
            return of[0][0], right
        closer = self._measured(shrinking.between(wrong, right, of[0][0].feeds), models)
        return shrinking.edge([(wrong, True), *closer, (right, False)])

    def _written(self, wrong: Tried, models: dict[str, Path]) -> float | None:
        """Write the repro; return how wrong the right's operator is on the left's provider, if that can run it."""
        (left_name, left), (right_name, right) = self._sides
        (expected,) = self._results(left, models[left_name], [wrong])
        (actual,) = self._results(right, models[right_name], [wrong])
        outputs = self.culprit.unit.outputs
        repro_folder.write(
            self.out,
            title=f"{self.culprit.unit.operator} {self.culprit.unit.name} on {right.label}, beside {left.label}.",
            provider=EXECUTION_PROVIDERS.get(right.provider, ""),
            openvino=None if right.divided else right.options,
            tolerance=self.culprit.seen.tolerance,
            arrays={
                "inputs": {name: wrong.feeds[name] for name in self.culprit.unit.inputs if name in wrong.feeds},
                "expected": {name: expected[name] for name in outputs},
                "actual": {name: actual[name] for name in outputs},
            },
        )
        if not right.divided:
            return None
        (there,) = self._results(left, models[right_name], [wrong])
        return max(apart(there[name], expected[name]).error for name in outputs)

    def _neighbours(self) -> tuple[Neighbour, ...]:
        """Return the same operator in the layers around, and others of its kind that were tried."""
        unit, units = self.culprit.unit, self.found.plan.units
        around = [other for step in (-1, 1) if (other := counterpart(unit, units, step)) is not None]
        judged = self.search.alone(self.found, around) if around else []
        same = [each for each in self.found.tried if each.unit.operator == unit.operator and each.unit != unit]
        return tuple(Neighbour(judged=each, largest=self._largest(each)) for each in (*judged, *same[:4]))

    def _largest(self, judged: Judged) -> float:
        values = load(file_of(judged.values[0], self.culprit.seen.sample, self.culprit.seen.step))
        return shrinking.largest({name: values[name] for name in judged.unit.inputs if name in values})

    def _reproduced(self, side: Side) -> bool:
        """Run the script on a side and return whether it says that the operator is wrong."""
        done = self._script(side)
        return done.returncode != 0

    def _script(self, side: Side) -> Completed:
        command = side.environment.command(
            side.environment.host_path(self.out / repro_folder.SCRIPT),
            EXECUTION_PROVIDERS.get(side.provider, "CPU"),
            timeout=ALLOWED_SECONDS,
        )
        return process.run(command, log=log_dir() / "bisect" / "repro.log", check=False)
