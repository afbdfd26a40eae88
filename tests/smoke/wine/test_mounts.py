import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.wine import mounts
from wheelhouse.errors import BusyError

NAME = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), min_size=1, max_size=12).filter(
    lambda name: "/" not in name and name not in {".", ".."}
)


def line(point):
    escaped = "".join(f"\\{ord(c):03o}" if c in " \\\t\n" else c for c in point)
    return f"36 35 98:0 / {escaped} rw,noatime master:1 - ext4 /dev/root rw"


@given(st.lists(NAME, min_size=1, max_size=4))
def test_mount_points_are_read_with_their_escapes(parts):
    point = "/" + "/".join(parts)
    (found,) = mounts.points(line(point))
    assert str(found) == point


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    mounts.points(text)


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Say that `path` is mounted."""

    def say(path):
        table = tmp_path / "mountinfo"
        table.write_text(f"{line('/')}\n{line(str(path))}\n", encoding="utf-8")
        monkeypatch.setattr(mounts, "MOUNTINFO", table)

    return say


@pytest.mark.parametrize("inside", ["", "fs/dev", "a b"])
def test_nothing_is_removed_below_which_something_is_mounted(tmp_path, mounted, inside):
    folder = tmp_path / "root"
    (folder / "fs" / "dev").mkdir(parents=True)
    (folder / "kept").write_text("x", encoding="utf-8")
    mounted(folder / inside)
    with pytest.raises(BusyError, match="is mounted there") as caught:
        mounts.remove(folder)
    assert "umount" in caught.value.remedy
    assert (folder / "kept").read_text(encoding="utf-8") == "x"


def test_a_mount_beside_or_above_it_is_no_obstacle(tmp_path, mounted):
    folder = tmp_path / "root"
    folder.mkdir()
    mounted(tmp_path / "root-of-another")
    mounts.remove(folder)
    assert not folder.exists()
    mounts.remove(folder)  # and once more: there is nothing to remove


def test_a_folder_that_is_still_written_to_is_tried_again(tmp_path, monkeypatch):
    tries = []

    def busy(path):
        tries.append(path)
        if len(tries) < 3:
            raise OSError(39, "Directory not empty")

    monkeypatch.setattr(mounts, "remove_tree", busy)
    monkeypatch.setattr(mounts.time, "sleep", lambda _: None)
    mounts.remove(tmp_path)
    assert len(tries) == 3
