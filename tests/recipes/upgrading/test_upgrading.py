"""`invoke recipes --outdated` and `--upgrade`, against a folder of wheels as the index."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.audit.ask_index import ask_versions
from recipes.audit.surroundings import Offer
from recipes.spec.load import load
from recipes.upgrading import candidates, telling_outdated
from recipes.upgrading.telling_outdated import outdated
from tests.recipes.audit.factory import CAPI, GENAI, PACKAGE, RUNTIME, Spec, build_pe, genai_dll, make, runtime_dll
from tests.recipes.audit.machine_code import genai_x64
from wheelhouse.downloads import cached_path
from wheelhouse.errors import NetworkError, RecipeError, UsageError
from wheelhouse.files import sha256_file

RECIPE = """\
description = "runtime 1.30.0 with GenAI 0.18.0"
targets = ["windows-x64"]
pythons = ["3.12", "3.13"]

[published]
# 2020-01-01 00:00:00 UTC: when they were built.
source-date-epoch = 1577836800

[published.proof.windows-x64]
run = "in Wine: everything"
pythons = ["3.13"]

[[published.repack]]
package = "ort-other-name"
name = "onnxruntime-directml"
version = "1.30.0"
local-version = "ours.3"
extras = {{ genai = ["onnxruntime-genai-directml==0.18.0+ours.4"] }}
reason = "Because of its name; the older 1.30.0.5 is not 1.30.0."
licence = "MIT"
licence-files = ["onnxruntime/LICENSE"]
origin = {{ name = "onnxruntime", repository = "https://example.org/ort", commit = "aaaaaaaaaa" }}
as-published = ["DirectML.dll 1.15.4 is Microsoft's."]

[[published.repack]]
package = "genai-other-name"
name = "onnxruntime-genai-directml"
local-version = "ours.4"
requires = ["onnxruntime-directml==1.30.0+ours.3"]
reason = "Its library asks for ONNX Runtime API 23; onnxruntime-directml 1.30.0 offers 30."
licence = "MIT"
licence-files = ["onnxruntime_genai/LICENSE"]
origin = {{ name = "genai", repository = "https://example.org/genai", commit = "bbbbbbbbbb" }}

[[published.repack.edit]]
file = "onnxruntime_genai/__init__.py"
was = 'id = "other"'
now = 'id = "ours"'
reason = "its name for itself"
"""


def runtime(version: str, api: int, *, commit: str = "c" * 10, directml: bool = True) -> Spec:
    mark = f"git-commit-id={commit}, x".encode()
    dll = runtime_dll(api, payload=mark)
    spec = RUNTIME.but(name="ort-other-name", version=version).with_file(f"{CAPI}/onnxruntime.dll", dll)
    return spec if directml else spec.without(f"{CAPI}/DirectML.dll")


def genai(version: str, api: int, *, text: bytes = b'__commit__ = "dddddddddd"\nid = "other"\n', **dll: Any) -> Spec:
    spec = GENAI.but(name="genai-other-name", version=version, own=False, requires=())
    library = genai_dll(code=genai_x64(api, None if "imports" in dll else 614), **dll)
    return spec.with_file(f"{PACKAGE}/__init__.py", text).with_file(f"{PACKAGE}/onnxruntime-genai.dll", library)


class Index:
    """An index in place of pip's, and a recipe that pins the first release of each package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "index"
        self.file = folder / "mine.toml"
        self.pinned: list[str] = []

    def offer(self, spec: Spec, *, pythons: tuple[str, ...] = ("cp312", "cp313"), pin: bool = False) -> None:
        for python in pythons:
            wheel = make(self.folder, spec.but(tag=f"{python}-{python}-win_amd64"))
            if not pin:
                continue
            place = cached_path(sha256_file(wheel), wheel.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(wheel.read_bytes())
            values = {"package": spec.name, "version": spec.version, "filename": wheel.name}
            values |= {"sha256": sha256_file(wheel), "python": python, "platform": "win_amd64"}
            lines = [f'{key} = "{value}"' for key, value in values.items()]
            self.pinned.append("\n".join(["[[published.artifacts]]", *lines, ""]))

    def write(self) -> None:
        self.file.write_text(RECIPE.format() + "\n" + "\n".join(self.pinned), encoding="utf-8")

    def versions(self, name: str, platform: str, python: str) -> Offer:
        found = {w.name.split("-")[1] for w in self.folder.glob(f"{name.replace('-', '_')}-*.whl")}
        return Offer(source="here", versions=tuple(sorted(found, reverse=True)))

    def fetch(self, package: str, version: str, target: tuple[str, str]) -> Path | None:
        name = f"{package.replace('-', '_')}-{version}-{target[0]}-{target[0]}-{target[1]}.whl"
        return self.folder / name if (self.folder / name).is_file() else None


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    found = Index(tmp_path)
    found.offer(runtime("1.30.0.2026", 30), pin=True)
    found.offer(genai("0.18.0", 23), pin=True)
    found.write()
    monkeypatch.setattr(candidates, "ask_versions", found.versions)
    monkeypatch.setattr(candidates, "_fetch", found.fetch)
    return found


def said(index: Index, *, upgrade: bool = False) -> str:
    return "\n".join(outdated(str(index.file), upgrade=upgrade)[str(index.file)])


def test_nothing_newer_is_said_and_nothing_written(index: Index) -> None:
    before = index.file.read_text(encoding="utf-8")
    assert said(index, upgrade=True) == (
        "mine: ort-other-name 1.30.0.2026, the newest\nmine: genai-other-name 0.18.0, the newest"
    )
    assert index.file.read_text(encoding="utf-8") == before


def test_an_upgrade_of_both_writes_what_was_measured(index: Index) -> None:
    index.offer(runtime("1.31.2.2027", 31))
    index.offer(genai("0.19.1", 26))
    assert (
        "can be made: ort-other-name 1.31.2.2027 with genai-other-name 0.19.1 (GenAI asks for ORT API 26, 31"
        in said(index)
    )
    assert "Written:" in said(index, upgrade=True)
    text = index.file.read_text(encoding="utf-8")
    recipe = load(str(index.file))
    for pin in recipe.published.artifacts:
        assert sha256_file(index.folder / pin.filename) == pin.sha256
        assert cached_path(pin.sha256, pin.filename).is_file()  # a build downloads nothing again
        assert pin.version in {"1.31.2.2027", "0.19.1"}
    ort, ai = recipe.published.repack
    assert (ort.version, ort.local_version, ort.extras) == (
        "1.31.2", "ours.1", {"genai": ("onnxruntime-genai-directml==0.19.1+ours.1",)}
    )  # fmt: skip
    assert (ai.local_version, ai.requires) == ("ours.1", ("onnxruntime-directml==1.31.2+ours.1",))
    assert (ort.origin.commit, ai.origin.commit) == ("c" * 10, "d" * 10)
    assert "asks for ONNX Runtime API 26; onnxruntime-directml 1.31.2 offers 31." in ai.reason
    assert "the older 1.30.0.5 is not 1.31.2." in ort.reason
    assert recipe.description == "runtime 1.31.2 with GenAI 0.19.1"
    proof = recipe.published.proof["windows-x64"]
    assert proof.run.startswith("not run:")
    assert proof.pythons == ()
    assert recipe.published.source_date_epoch == 1_700_000_000
    assert "# 2023-11-14 22:13:20 UTC: when" in text
    assert "the newest" in said(index)


def test_one_half_alone_counts_the_others_local_version_on(index: Index) -> None:
    """Its public version stays and its content changes, so that no index ever has two files of one name."""
    index.offer(genai("0.19.1", 26))
    said(index, upgrade=True)
    ort, ai = load(str(index.file)).published.repack
    assert (ort.version, ort.local_version) == ("1.30.0", "ours.4")
    assert ort.extras == {"genai": ("onnxruntime-genai-directml==0.19.1+ours.1",)}
    assert (ai.local_version, ai.requires) == ("ours.1", ("onnxruntime-directml==1.30.0+ours.4",))
    assert ort.origin.commit == "c" * 10
    tomllib.loads(index.file.read_text(encoding="utf-8"))


OBSTACLES: dict[str, tuple[Callable[[Index], None], str]] = {
    "api": (lambda i: i.offer(genai("0.19.1", 31)), "GenAI asks for ORT API 31, and only 30 is offered (win_amd64)"),
    "no wheel": (
        lambda i: i.offer(genai("0.19.1", 26), pythons=("cp313",)),
        "genai-other-name 0.19.1 has no wheel for cp312 win_amd64",
    ),
    "built without": (
        lambda i: i.offer(genai("0.19.1", 26, imports={"onnxruntime.dll": [1]})),
        "genai-other-name 0.19.1 is built without DirectML",
    ),
    "no DirectML.dll": (
        lambda i: i.offer(runtime("1.31.0.1", 31, directml=False)),
        "ort-other-name 1.31.0.1 has no DirectML inside",
    ),
    "text": (
        lambda i: i.offer(genai("0.19.1", 26, text=b"id = 'something else'\n")),
        "does not say 'id = \"other\"' once any more",
    ),
    "licence": (
        lambda i: i.offer(genai("0.19.1", 26).without(f"{PACKAGE}/LICENSE")),
        "it has no onnxruntime_genai/LICENSE any more",
    ),
    "unreadable": (
        lambda i: i.offer(genai("0.19.1", 26).with_file(f"{PACKAGE}/onnxruntime-genai.dll", build_pe())),
        "which ORT API genai-other-name 0.19.1 asks for cannot be read",
    ),
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_what_makes_no_pair_says_why_and_is_not_written(index: Index, what: str) -> None:
    offer, words = OBSTACLES[what]
    offer(index)
    before = index.file.read_text(encoding="utf-8")
    answer = said(index, upgrade=True)
    assert "cannot be made:" in answer
    assert words in answer
    assert "Nothing was written" in answer
    assert index.file.read_text(encoding="utf-8") == before


def test_when_the_newest_two_make_no_pair_one_of_them_may_with_a_pinned_one(index: Index) -> None:
    index.offer(runtime("1.31.0.1", 31, directml=False))
    index.offer(genai("0.19.1", 26))
    answer = said(index)
    assert "cannot be made: ort-other-name 1.31.0.1 with genai-other-name 0.19.1" in answer
    assert "can be made: ort-other-name 1.30.0.2026 with genai-other-name 0.19.1" in answer


def test_what_cannot_be_asked(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="Which recipe is to be upgraded"):
        outdated(upgrade=True)
    with pytest.raises(RecipeError, match="pins sources and no wheels"):
        outdated("dml")
    monkeypatch.setattr(candidates, "ask_versions", lambda *_: Offer(source="PyPI", unknown="no answer within 25 s"))
    with pytest.raises(NetworkError, match="no answer within 25 s"):
        said(index)
    names = list(telling_outdated.available())
    monkeypatch.setattr(candidates, "ask_versions", lambda *_: Offer(source="PyPI"))
    with pytest.raises(NetworkError, match="has any ort-other-name"):
        said(index)
    monkeypatch.setattr(candidates, "ask_versions", lambda *_: Offer(source="PyPI", versions=("0.0.1",)))
    assert set(outdated()) == {name for name in names if load(name).published is not None}


@pytest.mark.integration
def test_with_pip_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Index(tmp_path)
    found.offer(runtime("1.30.0.2026", 30), pin=True)
    found.offer(genai("0.18.0", 23), pin=True)
    found.offer(genai("0.19.1", 26))
    found.write()
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(found.folder))
    assert ask_versions("genai-other-name", "win_amd64", "3.13").versions[0] == "0.19.1"
    assert "Written:" in said(found, upgrade=True)
    assert {a.version for a in load(str(found.file)).published.artifacts} == {"1.30.0.2026", "0.19.1"}
