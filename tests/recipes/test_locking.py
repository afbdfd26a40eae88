"""`invoke lock` against stand-ins for the public hosts: repositories and archives below a folder."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from recipes import locking
from recipes.sources.pins import Pins
from tests.recipes import upstream
from tests.recipes.public_hosts import public_hosts, redirecting_host
from wheelhouse.errors import InputError, IntegrityError, NetworkError, RecipeError, ToolchainError, UsageError

GITHUB = "https://github.com/"
RECIPE = """
description = "x"
targets = ["windows-x64", "windows-arm64"]
pythons = ["3.12"]

[onnxruntime]
package = "ort"
version = "1.23.4"
api-version = 23
build-flags = ["--use_dml"]
source = { repository = "https://github.com/mini/ort", tag = "v1" }
mirror = "cmake/deps.txt"
leave-out = ["elsewhere"]
staging = { headers = ["onnxruntime_c_api.h"], include-dirs = ["include"], libraries = {} }

[[onnxruntime.dependencies]]
name = "directml"
declared-in = "packages.config"
entry = "Mini.DirectML"
when = "--use_dml"
option = "--dml_path"
take = { "include" = "include", "bin/{arch}-win/DirectML.lib" = "lib/DirectML.lib" }

[genai]
package = "genai"
version = "0.15.2"
import-name = "genai"
build-targets = ["genai"]
source = { repository = "https://github.com/mini/genai", tag = "v1" }
metadata = { summary = "x", readme = "README.md", licence = "MIT", licence-files = [] }
dependencies = [
  { name = "mathlib", declared-in = "cmake/deps.txt" },
  { name = "constants", declared-in = "mathlib:cmake/externals/constants.cmake" },
]
"""


def archive(mirror, path, files):
    """Put a ZIP with one top folder, as GitHub makes them, below the mirror; return its SHA-1."""
    place = mirror / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return hashlib.sha1(place.read_bytes()).hexdigest()


def repository(folder, mirror, name, files):
    for path, text in files.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(text, encoding="utf-8")
    return upstream.repository(folder / name, mirror / "mini" / name, tag="v1")


class World:
    """Stand-ins, a recipe that asks for them, and `invoke lock` on it."""

    def __init__(self, folder):
        self.mirror, self.recipe, self.ort = folder / "mirror", folder / "w.toml", folder / "ort"
        numbers = self.mirror / "mini/numbers/archive/v1.zip"
        if not numbers.exists():
            self.fill(folder)
        constants = self.mirror / "mini/constants/archive/v1.zip"
        self.sha1, self.nested = (hashlib.sha1(file.read_bytes()).hexdigest() for file in (numbers, constants))

    def fill(self, folder):
        sha1 = archive(self.mirror, "mini/numbers/archive/v1.zip", {"numbers-1/CMakeLists.txt": "project(n)"})
        nested = archive(self.mirror, "mini/constants/archive/v1.zip", {"constants-1/constants.h": "#define TWO 2"})
        archive(
            self.mirror,
            "www.nuget.org/api/v2/package/Mini.DirectML/1.15.4",
            {f"bin/{arch}-win/DirectML.lib": arch for arch in ("x64", "arm64")} | {"include/DirectML.h": "h"},
        )
        declared = f"FetchContent_Declare(constants URL {GITHUB}mini/constants/archive/v1.zip URL_HASH SHA1={nested})\n"
        math = repository(folder, self.mirror, "mathlib", {"cmake/externals/constants.cmake": declared})
        repository(
            folder,
            self.mirror,
            "ort",
            {
                "cmake/deps.txt": f"numbers;{GITHUB}mini/numbers/archive/v1.zip;{sha1}\n"
                f"elsewhere;https://mini.invalid/x.zip;{sha1}\n",
                "packages.config": '<package id="Mini.DirectML" version="1.15.4" />',
                "include/onnxruntime_c_api.h": "#define ORT_API_VERSION 23\n",
            },
        )
        repository(folder, self.mirror, "genai", {"cmake/deps.txt": f"mathlib;{GITHUB}mini/mathlib.git;{math}\n"})
        self.recipe.write_text(RECIPE, encoding="utf-8")

    def lock(self, **options):
        return locking.lock(str(self.recipe), source_mirror=str(self.mirror), **options)

    @property
    def text(self):
        return self.recipe.with_suffix(".lock.toml").read_text(encoding="utf-8")

    @property
    def third_party(self):
        return self.recipe.parent / "third_party"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A world to copy: starting git fifteen times takes seconds on some systems."""
    folder = tmp_path_factory.mktemp("world")
    World(folder)
    return folder


@pytest.fixture
def world(filled, tmp_path, monkeypatch):
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    for name, value in upstream.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("recipes.spec.target.third_party_dir", lambda: tmp_path / "third_party")
    return World(tmp_path)


def move(world, name, file, text):
    place = world.mirror / "mini" / name
    (place / file).write_text(text, encoding="utf-8")
    upstream.git(place, "commit", "--all", "--quiet", "--message", "second")
    upstream.git(place, "tag", "--force", "v1")


def test_recorded_then_verified_without_a_changed_byte(world):
    assert "recorded; 2 sources, 4 declared dependencies, 3 archives" in world.lock()
    first = world.text
    assert "api-version = 23" in first
    assert f'upstream-sha1 = "{world.sha1}"' in first
    assert "elsewhere" not in first
    assert "verified" in world.lock()
    assert world.text == first
    assert "agrees with upstream's tables: 4 entries" in world.lock(check=True)


def test_what_was_fetched_lies_where_upstreams_cmake_looks(world):
    world.lock()
    assert (world.third_party / "ort-v1/mirror/github.com/mini/numbers/archive/v1.zip").is_file()
    assert (world.third_party / "deps/constants-v1/constants.h").is_file()  # without its one top folder
    assert (world.third_party / "deps/ort-directml-arm64-v1/lib/DirectML.lib").read_text(encoding="utf-8") == "arm64"


def test_a_moved_tag_stops_with_both_commits_and_can_be_upgraded(world):
    world.lock()
    first = world.text
    move(world, "ort", "packages.config", '<package id="Mini.DirectML" version="1.15.4" /><!-- -->')
    (world.third_party / "ort-v1").rename(world.third_party / "elsewhere")
    with pytest.raises(IntegrityError, match=r"is now [0-9a-f]{40}, but [0-9a-f]{40} was recorded.*--upgrade"):
        world.lock()
    assert world.text == first
    assert "brought up to date" in world.lock(upgrade="ort")
    assert world.text != first
    assert "verified" in world.lock()


def test_another_content_at_the_same_address(world):
    world.lock()
    first = world.text
    archive(world.mirror, "mini/numbers/archive/v1.zip", {"numbers-1/other": "content"})
    with pytest.raises(IntegrityError, match="is pinned"):
        world.lock()
    with pytest.raises(IntegrityError, match="upstream's table says"):
        world.lock(upgrade="numbers")
    assert world.text == first  # a failed upgrade leaves the lock as it was


def test_a_wrong_hash_in_upstreams_table_records_nothing(world):
    move(world, "ort", "cmake/deps.txt", f"numbers;{GITHUB}mini/numbers/archive/v1.zip;{'0' * 40}\n")
    with pytest.raises(IntegrityError, match=f"SHA-1 {world.sha1}, but upstream's table says {'0' * 40}"):
        world.lock()
    assert Pins(world.recipe).sha256(f"{GITHUB}mini/numbers/archive/v1.zip") is None


def test_check_names_what_differs(world):
    world.lock()
    (world.third_party / "ort-v1/packages.config").write_text(
        '<package id="Mini.DirectML" version="1.16.0" />', encoding="utf-8"
    )
    with pytest.raises(
        IntegrityError, match=r"packages\.config:1 of ort: directml is .*1\.16\.0, the lock has .*1\.15\.4"
    ):
        world.lock(check=True)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ('ort", tag = "v1"', 'ort", tag = "v2"', IntegrityError, "has no tag v2"),
        ("mini/ort", "mini/none", NetworkError, "could not be fetched"),
        ("api-version = 23", "api-version = 24", RecipeError, "says api-version = 24, but the header"),
        ("mathlib:cmake", "nothing:cmake", RecipeError, "there is no dependency 'nothing' before it"),
    ],
)
def test_requests_that_cannot_be_met(world, old, new, error, message):
    assert old in RECIPE
    world.recipe.write_text(RECIPE.replace(old, new), encoding="utf-8")
    with pytest.raises(error, match=message):
        world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'ort", tag = "v1"',
            'ort", tag = "v2"',
            r"w\.toml:11: https://github\.com/mini/ort has no tag v2.*Correct the pin",
        ),
        (
            "mini/genai",
            "mini/none",
            r"w\.toml:29: https://github\.com/mini/none could not be fetched.*Check the network",
        ),
    ],
)
def test_what_cannot_be_had_is_named_with_the_line_that_asks_for_it(world, old, new, message):
    world.recipe.write_text(RECIPE.replace(old, new), encoding="utf-8")
    with pytest.raises((IntegrityError, NetworkError), match=message):
        world.lock()


def test_a_host_that_cannot_be_reached(world):
    with pytest.raises(NetworkError, match=r"w\.toml:11: .*/mini/ort could not be fetched.*--source-mirror"):
        locking.lock(str(world.recipe), source_mirror="http://127.0.0.1:9")
    assert not world.recipe.with_suffix(".lock.toml").exists()


def test_without_git(world, monkeypatch):
    monkeypatch.setenv("PATH", str(world.mirror))
    with pytest.raises(ToolchainError, match=r"git.*[Ii]nstall"):
        world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()


def constants_from(world, address, sha1, more=""):
    """Let upstream's file, and what refers to it, declare the archive of constants there."""
    declared = f"# x\nFetchContent_Declare(constants URL {address} URL_HASH SHA1={sha1} {more})\n"
    move(world, "mathlib", "cmake/externals/constants.cmake", declared)
    commit = upstream.git(world.mirror / "mini/mathlib", "rev-parse", "HEAD")
    move(world, "genai", "cmake/deps.txt", f"mathlib;{GITHUB}mini/mathlib.git;{commit}\n")


@pytest.mark.parametrize("member", ["constants-1/../../outside.h", "/outside.h", "..\\outside.h", "C:/outside.h"])
def test_an_archive_that_would_unpack_elsewhere(world, member):
    bad = archive(world.mirror, "mini/bad.zip", {"constants-1/constants.h": "", member: "x"})
    constants_from(world, f"{GITHUB}mini/bad.zip", bad)
    with pytest.raises(IntegrityError, match=r"constants\.cmake:2 of mathlib: .*bad\.zip cannot be unpacked .*outside"):
        world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()
    assert not (world.third_party / "deps/constants-v1").exists()
    assert not list(world.recipe.parent.rglob("outside.h"))


def test_a_change_that_upstream_makes_after_unpacking_is_said(world, capsys):
    change = "PATCH_COMMAND ${CMAKE_COMMAND} -P change.cmake"
    constants_from(world, f"{GITHUB}mini/constants/archive/v1.zip", world.nested, change)
    world.lock()
    said = " ".join(capsys.readouterr().err.split())
    assert "constants.cmake:2: upstream changes 'constants' after unpacking (${CMAKE_COMMAND} -P change.cmake)" in said


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate for this machine, which requests and git trust."""
    openssl = shutil.which("openssl") or pytest.skip("openssl makes the certificate")
    made = tmp_path / "certificate.pem"
    options = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost")
    key = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{tmp_path}/key.pem", "-out", str(made))
    subprocess.run([openssl, "req", *options, *key], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (tmp_path / "key.pem").read_bytes())
    for name in ("REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"):
        monkeypatch.setenv(name, str(made))
    return made


def test_a_dependency_that_redirects_to_http(world, certificate):
    with public_hosts(world.mirror) as plain, redirecting_host(certificate, plain) as encrypted:
        constants_from(world, f"{encrypted}/mini/constants/archive/v1.zip", world.nested)
        with pytest.raises(
            NetworkError,
            match=r"constants\.cmake:2 of mathlib: https://.* redirects to http://.*, which is not https.*look at",
        ):
            world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()
    assert not (world.third_party / "deps/constants-v1").exists()


def test_a_dependency_that_redirects_to_https_is_fetched(world, certificate):
    with (
        public_hosts(world.mirror) as plain,
        redirecting_host(certificate, plain) as last,
        redirecting_host(certificate, last) as first,
    ):
        constants_from(world, f"{first}/mini/constants/archive/v1.zip", world.nested)
        with pytest.raises(NetworkError, match=rf"of mathlib: {last}/.* redirects to {plain}/"):
            world.lock()


def test_a_repository_that_redirects_to_http(world, certificate):
    with public_hosts(world.mirror) as plain, redirecting_host(certificate, plain) as encrypted:
        world.recipe.write_text(
            RECIPE.replace("https://github.com/mini/ort", f"{encrypted}/mini/ort"), encoding="utf-8"
        )
        with pytest.raises(NetworkError, match=r"w\.toml:11: https://.*/mini/ort redirects to .* not https.*look at"):
            world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()
    assert not (world.third_party / "ort-v1").exists()


@pytest.mark.parametrize("options", [{"check": True}, {"upgrade": "ort"}])
def test_without_a_lock_there_is_nothing_to_compare_or_upgrade(world, options):
    with pytest.raises(InputError, match=r"There is no .*w\.lock\.toml yet\. .*`invoke lock --recipe"):
        world.lock(**options)
    assert not world.third_party.exists()


def test_a_first_lock_that_fails_leaves_none(world):
    move(world, "ort", "packages.config", "<nothing/>")
    with pytest.raises(InputError, match=r"declares no 'Mini\.DirectML'"):
        world.lock()
    assert not world.recipe.with_suffix(".lock.toml").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://github.com/mini/numbers/archive/v1.zip", "is not fetched over https"),
        ("file:///etc/hostname", "is not fetched over https"),
        ("https://github.com/../../../etc/numbers.zip", "would lead elsewhere"),
        ("https://github.com/mini/..\\..\\numbers.zip", "would lead elsewhere"),
    ],
)
def test_addresses_in_upstreams_table_that_are_not_followed(world, address, message):
    move(world, "ort", "cmake/deps.txt", f"# x\nnumbers;{address};{world.sha1}\n")
    with pytest.raises(InputError, match=rf"cmake/deps\.txt:2: 'numbers' {message}"):
        world.lock()


def test_a_revision_that_git_would_take_for_an_option(world):
    declared = f"FetchContent_Declare(constants GIT_REPOSITORY {GITHUB}mini/constants GIT_TAG --upload-pack=x)\n"
    move(world, "mathlib", "cmake/externals/constants.cmake", declared)
    commit = upstream.git(world.mirror / "mini/mathlib", "rev-parse", "HEAD")
    move(world, "genai", "cmake/deps.txt", f"mathlib;{GITHUB}mini/mathlib.git;{commit}\n")
    with pytest.raises(InputError, match=r"constants\.cmake:1: 'constants' would lead elsewhere"):
        world.lock()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ort", tag = "v1"', 'ort", tag = "--upload-pack=x"', "'--upload-pack=x' is no tag"),
        ('ort", tag = "v1"', 'ort", tag = "v 1"', "'v 1' is no tag"),
        ("https://github.com/mini/ort", "http://github.com/mini/ort", "is not fetched over https"),
        ("https://github.com/mini/ort", "--upload-pack=touch x", "is not fetched over https"),
        ('name = "constants"', 'name = "mathlib"', "two dependencies called 'mathlib'"),
        ('version = "0.15.2"', "version = 0.15", r"Expected `str`, got `float` - at `genai\.version`"),
        ('summary = "x"', "summary = 1", r"Expected `str`, got `int` - at `genai\.metadata\.summary`"),
    ],
)
def test_requests_that_are_refused_before_anything_is_fetched(world, old, new, message):
    assert old in RECIPE
    world.recipe.write_text(RECIPE.replace(old, new), encoding="utf-8")
    with pytest.raises(RecipeError, match=rf"w\.toml:\d+: .*{message}"):
        world.lock()
    assert not world.third_party.exists()


def test_a_mirror_that_is_no_folder(world):
    with pytest.raises(UsageError, match="there is no such folder"):
        locking.lock(str(world.recipe), source_mirror=str(world.mirror / "nothing"))


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\nformat = 1\n", "recipe = '\udcff'"])
def test_a_lock_that_cannot_be_read_says_what_to_do(world, text):
    world.recipe.with_suffix(".lock.toml").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises((InputError, RecipeError), match=r"w\.lock\.toml.*remove it and run `invoke lock`"):
        world.lock()


def test_a_commit_that_contradicts_the_published_binary_is_said(world, capsys):
    commit = upstream.git(world.mirror / "mini/ort", "rev-parse", "HEAD")
    for built_as, said in ((commit[:10], False), ("f2c39fe2f8", True)):
        world.recipe.write_text(
            RECIPE.replace('ort", tag = "v1"', f'ort", tag = "v1", built-as = "{built_as}"'), encoding="utf-8"
        )
        world.lock()
        assert (f"published binary of that version was built from {built_as}" in capsys.readouterr().err) == said


def test_upgrade_of_what_is_not_there(world):
    world.lock()
    with pytest.raises(UsageError, match=r"has no 'numbrs'\. Did you mean 'numbers'"):
        world.lock(upgrade="numbrs")


def test_status(world):
    from recipes.spec.load import load

    recipe = load(str(world.recipe))
    assert locking.lock_status(recipe, world.recipe) == "unlocked"
    world.lock()
    assert locking.lock_status(recipe, Path(world.recipe)) == "locked"
