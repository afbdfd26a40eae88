"""What a build writes beside its sources is no obstacle to the next one, not even where it was killed; work is."""

import contextlib

import pytest

from recipes.sources import leftovers
from recipes.sources.checkout import Checkout, changes, require_clean
from tests.recipes import upstream
from wheelhouse.errors import InputError


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    for name, value in upstream.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    content, folder = tmp_path / "content", tmp_path / "lib"
    content.mkdir()
    (content / "a.txt").write_text("one\n", encoding="utf-8")
    upstream.repository(content, folder, tag="v1")
    commit, tree = (upstream.git(folder, "rev-parse", name) for name in ("HEAD", "HEAD^{tree}"))
    return Checkout(folder=folder, commit=commit, tree=tree, epoch=0)


@pytest.fixture
def killed(checkout):
    """A build was killed here: its mark is there, and nobody holds it."""
    (checkout.folder / ".git" / f"{leftovers.BUILDING}0123").touch()


def write(checkout, name, text="by the build\n"):
    path = checkout.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_what_an_ended_build_left_is_allowed_and_what_comes_after_it_is_not(checkout, error):
    with contextlib.suppress(RuntimeError, KeyboardInterrupt), leftovers.building(checkout):
        write(checkout, "out/made.txt")
        if error is not None:
            raise error
    with leftovers.building(checkout):
        pass
    write(checkout, "a.txt", "mine\n")
    with pytest.raises(InputError, match=r"changed since it was fetched \(a\.txt\)"), leftovers.building(checkout):
        pass
    assert (checkout.folder / "a.txt").read_text(encoding="utf-8") == "mine\n"


def test_what_a_killed_build_left_is_set_aside_and_the_sources_are_put_back(checkout, killed, capsys):
    write(checkout, "out/made.txt")
    write(checkout, "a.txt", "half a li")
    with leftovers.building(checkout):
        require_clean(checkout)
    assert (checkout.folder / "a.txt").read_text(encoding="utf-8") == "one\n"
    (aside,) = (checkout.folder / leftovers.ASIDE).iterdir()
    assert (aside / "out/made.txt").read_text(encoding="utf-8") == "by the build\n"
    assert (aside / "a.txt").read_text(encoding="utf-8") == "half a li"
    assert "was killed" in capsys.readouterr().err
    assert not list((checkout.folder / ".git").glob(f"{leftovers.BUILDING}*"))


def test_a_killed_build_that_left_nothing_is_not_mentioned(checkout, killed, capsys):
    with leftovers.building(checkout):
        pass
    assert not (checkout.folder / leftovers.ASIDE).exists()
    assert "killed" not in capsys.readouterr().err


def test_a_file_that_the_killed_build_removed_is_put_back(checkout, killed):
    (checkout.folder / "a.txt").unlink()
    with leftovers.building(checkout):
        assert changes(checkout) == ([], [])


def test_what_another_build_writes_at_this_moment_is_left_where_it_is_and_work_is_refused(checkout):
    with leftovers.building(checkout):
        write(checkout, "out/made.txt")
        with leftovers.building(checkout):
            assert (checkout.folder / "out/made.txt").exists()
        write(checkout, "a.txt", "mine\n")
        with pytest.raises(InputError, match=r"a\.txt"), leftovers.building(checkout):
            pass
