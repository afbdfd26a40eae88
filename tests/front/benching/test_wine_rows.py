"""The parts of a set-up, by what it and apt say."""

from front.benching import wine_rows
from front.benching.timing import Part
from smoke.wine import namespace
from wheelhouse.errors import UnsupportedError

SAID = """… debootstrap trixie
✓ debootstrap trixie  25.3 s
✓ installing Wine, Mesa, mingw-w64  45.0 s
✗ something that failed  9.0 s
✓ copying the bootstrapped system  1.2 s
"""


def test_the_longest_parts_come_first() -> None:
    assert wine_rows.parts(SAID) == (
        Part("installing Wine, Mesa, mingw-w64", 45.0),
        Part("debootstrap trixie", 25.3),
        Part("copying the bootstrapped system", 1.2),
    )


def test_what_debian_takes_is_said() -> None:
    assert wine_rows.remark(wine_rows.parts(SAID)).startswith("70 s are debootstrap and dpkg")


def test_seconds_of_downloading_are_added_up() -> None:
    logs = "Fetched 140 kB in 0s (795 kB/s)\nx\nFetched 378 MB in 2s (231 MB/s)\nFetched 1 GB in 1min 5s (1 kB/s)\n"
    assert wine_rows.downloading(logs) == 67.0
    assert wine_rows.downloading("") == 0.0


def test_where_it_cannot_be_made_the_row_says_why(monkeypatch) -> None:
    monkeypatch.setattr(namespace, "obstacle", lambda: UnsupportedError("no root", remedy="be root"))
    (row,) = wine_rows.set_up()
    assert row.value is None
    assert "no root" in row.skipped
