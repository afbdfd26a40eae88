"""Sources are fetched from real git repositories, verified, patched, and watched for changes."""

import os
import shlex
import shutil

import pytest

from recipes.sources.checkout import PUBLIC_HOST, commands, fetch, git, read_checkout, require_clean, source_name
from recipes.sources.pins import Pins
from recipes.spec.fetched import Patch, Source
from tests.recipes import upstream
from wheelhouse import strict_toml
from wheelhouse.errors import InputError, IntegrityError, NetworkError, RecipeError
from wheelhouse.process import render

ADDRESS = f"{PUBLIC_HOST}mini/lib"


@pytest.fixture(autouse=True)
def _own_git(monkeypatch, tmp_path):
    for name, value in upstream.environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A mirror to copy, with mini/lib in it: two files, tag v1."""
    folder = tmp_path_factory.mktemp("mirror")
    content = folder / "content"
    (content / "docs").mkdir(parents=True)
    (content / "a.txt").write_text("one\n", encoding="utf-8")
    (content / "docs/b.txt").write_text("two\n", encoding="utf-8")
    upstream.repository(content, folder / "mirror/mini/lib", tag="v1")
    return folder / "mirror"


@pytest.fixture
def mirror(filled, tmp_path):
    return shutil.copytree(filled, tmp_path / "mirror")


@pytest.fixture
def commit(mirror):
    return upstream.git(mirror / "mini/lib", "rev-parse", "HEAD")


@pytest.fixture
def get(tmp_path, mirror):
    """Fetch a source into tmp_path/out from the mirror."""
    (tmp_path / "patches").mkdir()

    def call(source, *, mirror=str(mirror)):
        return fetch(source, tmp_path / "out", tmp_path / "patches", Pins(tmp_path / "r.toml"), mirror=mirror)

    return call


def test_commit_is_checked_out_and_recorded(get, commit, tmp_path):
    checkout = get(Source(repository=ADDRESS, commit=commit))
    assert (checkout.folder / "a.txt").read_text(encoding="utf-8") == "one\n"
    assert (checkout.commit, checkout.epoch) == (commit, 1700000000)
    assert read_checkout(checkout.folder) == checkout
    require_clean(checkout)
    assert not (tmp_path / "r.lock.toml").exists()


def test_second_fetch_starts_no_process(get, commit, monkeypatch):
    source = Source(repository=ADDRESS, commit=commit)
    first = get(source)
    monkeypatch.setattr("recipes.sources.checkout.run", lambda *_, **__: pytest.fail("a process was started"))
    assert get(source) == first


def test_a_tag_is_resolved_once_and_verified_afterwards(get, commit, mirror, tmp_path):
    source = Source(repository=ADDRESS, tag="v1")
    assert get(source).commit == commit
    assert Pins(tmp_path / "r.toml").commit(ADDRESS, "v1") == commit
    (mirror / "mini/lib/a.txt").write_text("moved\n", encoding="utf-8")
    upstream.git(mirror / "mini/lib", "commit", "--all", "--quiet", "--message", "second")
    upstream.git(mirror / "mini/lib", "tag", "--force", "v1")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="has moved"):
        get(source)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", [{"commit": "0" * 40}, {"tag": "v9"}])
def test_a_pin_that_the_repository_lacks(get, source, tmp_path):
    with pytest.raises(IntegrityError, match=r"has no (commit 0000|tag v9)"):
        get(Source(repository=ADDRESS, **source))
    assert not (tmp_path / "out").exists()


def test_a_repository_that_delivers_another_commit(get, commit, monkeypatch):
    monkeypatch.setattr("recipes.sources.checkout._ask", lambda *_: "f" * 40)
    with pytest.raises(IntegrityError, match=f"delivered commit {'f' * 40}, but {commit} is pinned"):
        get(Source(repository=ADDRESS, commit=commit))


def test_no_network(get, commit, tmp_path):
    with pytest.raises(NetworkError, match=r"could not be fetched.*--source-mirror"):
        get(Source(repository=ADDRESS, commit=commit), mirror=str(tmp_path / "nowhere"))


def test_a_foreign_folder_is_never_touched(get, commit, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/work.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="was not made by this program"):
        get(Source(repository=ADDRESS, commit=commit))
    assert (tmp_path / "out/work.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("change", ["edit", "add", "stage", "commit"])
def test_changes_are_noticed_before_building(get, commit, change):
    checkout = get(Source(repository=ADDRESS, commit=commit))
    (checkout.folder / ("new.txt" if change == "add" else "a.txt")).write_text("changed\n", encoding="utf-8")
    if change in {"stage", "commit"}:
        upstream.git(checkout.folder, "add", "a.txt")
    if change == "commit":
        upstream.git(checkout.folder, "commit", "--quiet", "--message", "mine")
    with pytest.raises(InputError, match=r"has been changed since it was fetched.*patch"):
        require_clean(checkout)


def test_what_python_leaves_is_no_change(get, commit):
    checkout = get(Source(repository=ADDRESS, commit=commit))
    (checkout.folder / "docs/__pycache__").mkdir()
    (checkout.folder / "docs/__pycache__/x.pyc").write_text("", encoding="utf-8")
    require_clean(checkout)


def test_sparse_leaves_out_and_stays_clean(get, commit):
    checkout = get(Source(repository=ADDRESS, commit=commit, sparse=("/*", "!/docs/")))
    assert not (checkout.folder / "docs").exists()
    require_clean(checkout)


def make_patch(tmp_path, text):
    (tmp_path / "patches/fix.patch").write_text(text, encoding="utf-8")
    return Patch(file="fix.patch", reason="the test wants another number")


PATCH = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+three\n"


def test_patches_are_applied_and_part_of_the_key(get, commit, tmp_path):
    source = Source(repository=ADDRESS, commit=commit, patches=(make_patch(tmp_path, PATCH),))
    first = get(source)
    assert (first.folder / "a.txt").read_text(encoding="utf-8") == "three\n"
    require_clean(first)
    make_patch(tmp_path, PATCH.replace("three", "four"))
    second = get(source)
    assert (second.folder / "a.txt").read_text(encoding="utf-8") == "four\n"
    assert second.tree != first.tree


def test_a_patch_that_does_not_fit_or_is_missing(get, commit, tmp_path):
    source = Source(repository=ADDRESS, commit=commit, patches=(make_patch(tmp_path, PATCH.replace("one", "eins")),))
    with pytest.raises(RecipeError, match="does not fit"):
        get(source)
    (tmp_path / "patches/fix.patch").unlink()
    with pytest.raises(InputError, match=r"fix\.patch does not exist"):
        get(source)


def test_a_killed_fetch_leaves_nothing_and_the_next_goes_on(get, commit, tmp_path):
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / "half").write_text("", encoding="utf-8")
    checkout = get(Source(repository=ADDRESS, commit=commit))
    assert not (checkout.folder / "half").exists()
    assert not partial.exists()


def test_commands_are_what_a_person_would_type(tmp_path):
    source = Source(repository=ADDRESS, commit="a" * 40, sparse=("/*", "!/docs/"), submodules=("x",))
    text = [render(c, "posix") for c in commands(source, tmp_path / "o", tmp_path)]
    place = shlex.quote(str(tmp_path / "o"))
    assert text == [
        f"git init --quiet {place}",
        f"git -C {place} config core.autocrlf false",
        f"git -C {place} config core.longpaths true",
        f"git -C {place} remote add origin https://github.com/mini/lib",
        f"git -C {place} sparse-checkout set --no-cone '/*' '!/docs/'",
        (
            f"git -C {place} -c protocol.http.allow=user fetch --quiet --no-tags --depth=1 --filter=blob:none "
            f"origin {'a' * 40}"
        ),
        f"git -C {place} checkout --quiet --detach FETCH_HEAD",
        f"git -C {place} submodule update --quiet --init --recursive --depth=1 -- x",
    ]


@pytest.mark.parametrize("address", [ADDRESS, f"{ADDRESS}.git", f"{ADDRESS}/"])
def test_source_name(address):
    assert source_name(Source(repository=address, tag="v")) == "lib"


def test_the_users_own_git_variables_do_not_lead_astray(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    assert "GIT_DIR" not in git(tmp_path, "status").environment()


@pytest.mark.parametrize("file", ["/etc/passwd", "../outside.patch", "a/../../b.patch", "C:/x.patch", "a\\b.patch"])
def test_a_patch_lies_in_its_folder(file):
    with pytest.raises(RecipeError, match="stays inside"):
        strict_toml.convert({"file": file, "reason": "because it is needed"}, Patch, "r.toml")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_patch_that_is_a_link_elsewhere_is_refused(get, commit, tmp_path):
    (tmp_path / "elsewhere.patch").write_text("", encoding="utf-8")
    (tmp_path / "patches" / "link.patch").symlink_to(tmp_path / "elsewhere.patch")
    patch = Patch(file="link.patch", reason="because it is needed")
    source = Source(repository=ADDRESS, commit=commit, patches=(patch,))
    with pytest.raises(RecipeError, match="link that leads out"):
        get(source)
