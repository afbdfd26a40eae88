"""The recipe's text with the pins of other releases: hashes, versions and commits measured, what was run taken back."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from recipes.spec.schema import Recipe, Repack
from recipes.upgrading.candidates import Release, keep, published_of
from recipes.upgrading.fitness import Fitness
from wheelhouse import strict_toml
from wheelhouse.errors import RecipeError
from wheelhouse.files import write_atomic

RUNTIME = "onnxruntime-directml"
NOT_RUN = "not run: its wheels were only audited since they were upgraded"


def rewrite(file: Path, recipe: Recipe, fitness: Fitness) -> None:
    """Write the recipe with the releases that `fitness` is about. Raise RecipeError when that would not be one."""
    text = file.read_text(encoding="utf-8")
    releases = {one.package: one for one in fitness.releases}
    text = _versions(text, recipe, releases)
    text = _artifacts(text, recipe, releases)
    text = _facts(text, recipe, fitness)
    runtimes = {rule.package for rule in published_of(recipe).repack if rule.name == RUNTIME}
    text = _times(_proof(text), [one for one in fitness.releases if not one.pinned and one.package in runtimes])
    strict_toml.decode(text, Recipe, str(file))
    wanted = {one.version for one in fitness.releases}
    if any(f'version = "{version}"' not in text for version in wanted):
        raise RecipeError(f"{file}: its pins are not written as this program writes them.", remedy="Edit it by hand.")
    write_atomic(file, text)


def _versions(text: str, recipe: Recipe, releases: Mapping[str, Release]) -> str:
    """Replace the versions of our own wheels wherever they stand, and count local versions on."""
    for rule in published_of(recipe).repack:
        one = releases[rule.package]
        was, now = _public(recipe, rule), _next(recipe, rule, one)
        local = rule.local_version if now != was else _counted(rule.local_version)
        first = re.sub(r"\.\d+$", ".1", rule.local_version) if now != was else local
        text = text.replace(f"=={was}+{rule.local_version}", f"=={now}+{first}")
        text = _local(text, rule, first)
        text = re.sub(rf"(?<![\d.]){re.escape(was)}(?![\d.]*\d)", now, text) if now != was else text
    return text


def _local(text: str, rule: Repack, now: str) -> str:
    """Write the local version of a rule, which stands in its block."""
    head, mark, rest = text.partition(f'[[published.repack]]\npackage = "{rule.package}"\n')
    return head + mark + rest.replace(f'local-version = "{rule.local_version}"', f'local-version = "{now}"', 1)


def _public(recipe: Recipe, rule: Repack) -> str:
    pinned = next(a.version for a in published_of(recipe).artifacts if a.package == rule.package)
    return rule.version or pinned


def _next(recipe: Recipe, rule: Repack, one: Release) -> str:
    """Return our wheel's public version: as much of the release's as the old one was of its own."""
    parts = _public(recipe, rule).count(".") + 1
    return ".".join(one.version.split(".")[:parts]) if rule.version else one.version


def _counted(local: str) -> str:
    return re.sub(r"\d+$", lambda m: str(int(m[0]) + 1), local)


def _artifacts(text: str, recipe: Recipe, releases: Mapping[str, Release]) -> str:
    for pin in published_of(recipe).artifacts:
        one = releases[pin.package]
        if one.pinned:
            continue
        wheel = one.wheels[pin.python, pin.platform]
        old = re.compile(rf'version = "[^"]*"\nfilename = "[^"]*"\nsha256 = "{pin.sha256}"')
        text = old.sub(f'version = "{one.version}"\nfilename = "{wheel.name}"\nsha256 = "{keep(wheel)}"', text)
    return text


def _facts(text: str, recipe: Recipe, fitness: Fitness) -> str:
    for rule in published_of(recipe).repack:
        commit = fitness.facts.commits.get(rule.package, "")
        if rule.origin is not None and commit:
            text = text.replace(f'commit = "{rule.origin.commit}"', f'commit = "{commit}"')
    text = re.sub(r"(asks for ONNX Runtime API )\d+", rf"\g<1>{fitness.facts.asks}", text)
    text = re.sub(r"(onnxruntime-directml \S+ offers )\d+", rf"\g<1>{fitness.facts.offers}", text)
    return (
        re.sub(r"(DirectML\.dll )\d+(\.\d+)+", rf"\g<1>{fitness.facts.directml}", text)
        if fitness.facts.directml
        else text
    )


def _proof(text: str) -> str:
    """Take back what was run: these wheels were not."""
    block = re.compile(r'(\[published\.proof\.[^\]]+\]\n)run = "(.*)"\n(?:pythons = .*\n)?')
    return block.sub(lambda m: m[0] if m[2].startswith("not run:") else f'{m[1]}run = "{NOT_RUN}"\n', text)


def _times(text: str, fresh: list[Release]) -> str:
    """Set the time stamps of our wheels to the newest one inside the new ONNX Runtime."""
    newest = max(
        (
            info.date_time
            for one in fresh
            for wheel in one.wheels.values()
            for info in zipfile.ZipFile(wheel).infolist()
        ),
        default=None,
    )
    if newest is None:
        return text
    when = dt.datetime(*newest, tzinfo=dt.UTC)
    text = re.sub(r"^# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", f"# {when:%Y-%m-%d %H:%M:%S} UTC", text, flags=re.MULTILINE)
    return re.sub(r"source-date-epoch = \d+", f"source-date-epoch = {int(when.timestamp())}", text)
