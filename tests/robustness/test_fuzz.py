"""Whatever a file holds, its reader returns or says what is wrong with it: no traceback, nothing written elsewhere.

Each case is a valid document that was changed: bytes flipped, cut, repeated and spliced; or, for JSON and TOML, a value
replaced by one of another type, an extreme, or a deep nest. `DML_WHEELHOUSE_FUZZ` says how many cases each reader gets
(default 150; some thousands take minutes). A failing case says its seed, which makes it again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from recipes import standing
from recipes.audit.readers.metadata import parse_metadata, parse_record
from recipes.building import built
from recipes.sources import lock, tables
from recipes.spec import load
from recipes.spec.schema import Recipe
from recipes.wheels import placing
from recipes.wheels.index import index_files
from smoke.comparing import baseline, kept
from smoke.models.check import whole_folder
from smoke.models.check.template import require_template
from smoke.models.converters.from_gguf import header
from smoke.parity import dumps, gates
from smoke.running import prompts, records
from tests.recipes.wheel_factory import make_wheel
from tests.robustness.changing import bytes_changed, json_changed, toml_changed
from tests.smoke.models import building, gguf_building
from tests.smoke.report.test_report import EVERY
from wheelhouse import manifests, strict_toml, unpacking
from wheelhouse.errors import WheelhouseError

pytestmark = pytest.mark.integration

CASES = int(os.environ.get("DML_WHEELHOUSE_FUZZ", "150"))
SEED = int(os.environ.get("DML_WHEELHOUSE_SEED", "0")) or time.time_ns()
MOST_MEMORY = 64 << 20
Case = tuple[bytes, str, Callable[[bytes, random.Random], bytes], Callable[[Path], object]]


def decode_recipe(path: Path) -> object:
    return strict_toml.load(path, Recipe)


def model_folder(path: Path) -> object:
    """Check a model whose one file was changed."""
    folder = path.parent / f"model-{path.name}"
    shutil.rmtree(folder, ignore_errors=True)
    building.build(folder)
    shutil.copyfile(path, folder / path.name)
    return whole_folder.facts_of(folder)


def template(path: Path) -> None:
    require_template(path.read_bytes().decode(errors="replace"), path)


def index(path: Path) -> object:
    """Index a wheel that is called what the file holds: nothing in it may make another line, link or folder."""
    name = path.read_bytes().decode(errors="replace")
    facts = placing.WheelFacts(filename=name, size=1, sha256="a" * 64, metadata_sha256="b" * 64, requires_python=name)
    made = index_files([facts])
    assert made["SHA256SUMS"].count("\n") == 1
    assert all("href" not in text or text.count("<a href") == 1 for text in made.values())
    assert not [place for place in made if ".." in place or place.startswith("/")]
    return made


RUN = records.RunRecord(
    format=1, backend="ort-cpu", variant="fp32", gate=gates.FP32.name, against="reference", requested_device="CPU",
    model=EVERY.model, messages=("a",), max_new_tokens=2, continuations=((2, 3),), host=EVERY.host, created="now",
)  # fmt: skip
DUMP = dumps.Dump(
    schema=2, status="ok", nll=3.0, device=dumps.Device(name="CPU", evidence="a test"), first_run=(0.1, 0.2, 2),
    prompts=(dumps.PromptDump(text="a", ids=(1,), tokens=(2, 3), pieces=("x", "y"), probes=((0, 2),)),),
    lengths=(dumps.LengthDump(tokens=8, times=((0.1, 0.2, 2),)),), context=dumps.ContextDump(tokens=9, at_once=(8,)),
    loaded=(dumps.Library(path="/lib/x.so", size=1, sha256="0" * 64),), versions={"x": "1"},
)  # fmt: skip


def kept_dump(path: Path) -> object:
    """Find a dump beside its record, as `compare` does; one that cannot be judged has to say why."""
    records.write(path.parent, RUN)
    ((found,),) = kept.find([path.parent], path.parent / "work")
    if found.dump is None:
        raise dumps.DumpError(found.problem)
    return found


def built_before(path: Path) -> object:
    """Ask for what a build said, with the file as its memory: what was changed is not believed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing, "_file", lambda _: path)
        patch.setattr(standing, "stamps", lambda: "s")
        return standing.told(())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    base = tmp_path_factory.mktemp("seeds")
    recipe = load.available()["dml"].read_bytes()
    model = building.build(base / "model")
    gguf = gguf_building.build(base / "m.gguf").read_bytes()
    wheel = make_wheel(base).read_bytes()
    (base / "made").mkdir()
    (base / "made" / "x").write_bytes(b"x")
    manifests.write(base / "made")
    locked = lock.Lock(format=lock.FORMAT, recipe="r", checksum="", api_version=24)
    locked = msgspec.structs.replace(locked, checksum=lock.checksum(locked))
    table = (
        b"# comment\nabseil_cpp;https://github.com/a/b/archive/x.zip;"
        + b"a" * 40
        + b"\nx;https://e.org/y.git;"
        + b"b" * 40
    )
    record = msgspec.json.encode(RUN)
    dump = msgspec.json.encode(DUMP)
    found: dict[str, Case] = {
        "recipe": (recipe, "r.toml", toml_changed, decode_recipe),
        "lock": (lock.to_text(locked).encode(), "r.lock.toml", toml_changed, lambda p: lock.read(p, "r")),
        "record of builds": (
            f'format = {built.FORMAT}\nrecipe = "r"\n'.encode(), "r.built.toml", toml_changed,
            lambda p: built.read(p.with_name("r.toml")),
        ),
        "upstream's table": (table, "deps.txt", bytes_changed, lambda p: tables.declarations(p.parent, p.name)),
        "report": (msgspec.json.encode(EVERY), "report.json", json_changed, baseline.read),
        "prompts": ("Héllo\nWhat is 2+2?\n# no\n😀 x\n".encode(), "p.txt", bytes_changed, prompts.load),
        "manifest": (
            (base / "made" / manifests.MANIFEST).read_bytes(), manifests.MANIFEST, json_changed,
            lambda p: manifests.damage(p.parent),
        ),
        "notebook": (placing._sealed({}), "n.json", json_changed, placing._read_notebook),
        "dump": (dump, "dump.json", json_changed, lambda p: dumps.read(p.parent, prompts=1)),
        "kept dump": (dump, "dump.json", json_changed, kept_dump),
        "record of a run": (record, records.NAME, json_changed, lambda p: records.read(p.parent)),
        "GGUF": (gguf, "m.gguf", bytes_changed, header.read),
        "METADATA": (wheel, "demo_pkg-1.0-cp312-cp312-win_amd64.whl", bytes_changed, placing.read_metadata),
        "METADATA's text": (
            placing.read_metadata(make_wheel(base)), "METADATA", bytes_changed,
            lambda p: parse_metadata(p.read_bytes()),
        ),
        "RECORD": (b"a/b.py,sha256=abc,12\nx.dist-info/RECORD,,\n", "RECORD", bytes_changed,
                   lambda p: parse_record(p.read_bytes())),
        "chat template": (building.TEMPLATE.encode(), "t.jinja", bytes_changed, template),
        "index": (b"demo_pkg-1.0-cp312-cp312-win_amd64.whl", "name", bytes_changed, index),
        "memory of a build": (
            json.dumps({"said": "all", "stamps": "s", "seal": standing._digest("all", "s")}).encode(), "s.json",
            json_changed, built_before,
        ),
        "archive": (wheel, "a.zip", bytes_changed, lambda p: unpacking.unpack(p, p.parent / "unpacked")),
    }  # fmt: skip
    for name in (
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ):
        if (model / name).is_file():
            change = bytes_changed if name.endswith("safetensors") else json_changed
            found[name] = ((model / name).read_bytes(), name, change, model_folder)
    return found


READERS = [
    "recipe", "lock", "record of builds", "upstream's table", "report", "prompts", "manifest", "notebook", "dump",
    "kept dump", "record of a run", "GGUF", "METADATA", "METADATA's text",
    "RECORD", "chat template", "index", "memory of a build", "archive", "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "model.safetensors",
]  # fmt: skip
NEVER_REFUSED = {"prompts", "manifest", "notebook", "METADATA's text", "RECORD", "memory of a build"}
"""What is taken as far as it can be read, or made again."""
SPEAKS = (WheelhouseError, dumps.DumpError, header.DamagedError)
"""What a reader may raise: each has its words for people, or its caller's."""


@pytest.mark.parametrize("name", READERS)
def test_the_unchanged_file_is_read(seeds: dict[str, Case], tmp_path: Path, name: str) -> None:
    """Changes to a file that is refused as it is would not reach far."""
    data, filename, _, read = seeds[name]
    (tmp_path / filename).write_bytes(data)
    read(tmp_path / filename)


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_or_refused_in_words(seeds: dict[str, Case], tmp_path: Path, name: str) -> None:
    data, filename, change, read = seeds[name]
    inside, outside = tmp_path / "in", tmp_path
    inside.mkdir()
    refused = 0
    for number in range(CASES):
        draw = random.Random(f"{SEED} {name} {number}")
        (inside / filename).write_bytes(change(data, draw))
        try:
            read(inside / filename)
        except SPEAKS:
            refused += 1
        except Exception as error:
            error.add_note(
                f"DML_WHEELHOUSE_SEED={SEED}, case {number} of {name}: {(inside / filename).read_bytes()[:300]!r}"
            )
            raise
    assert [p.name for p in outside.iterdir()] == ["in"] or {p.name for p in outside.iterdir()} <= {"in", "cache"}
    print(f"{CASES} of {CASES} changed files of kind {name!r}: {refused} refused in words, no traceback")
    assert refused or name in NEVER_REFUSED, "nothing was ever refused: the changes do not reach it"


def test_memory_stays_small(seeds: dict[str, Case], tmp_path: Path) -> None:
    for name in READERS:
        data, filename, change, read = seeds[name]
        (tmp_path / name).mkdir()
        tracemalloc.start()
        for number in range(5):
            (tmp_path / name / filename).write_bytes(change(data, random.Random(f"{name} {number}")))
            try:
                read(tmp_path / name / filename)
            except SPEAKS:
                continue
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY, name
