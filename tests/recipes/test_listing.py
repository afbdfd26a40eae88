"""The table of recipes: README's is the one that the recipes and their records give."""

from recipes import listing


def test_the_readme_has_the_table_of_today():
    text = listing.README.read_text(encoding="utf-8")
    assert text.count(listing.BEGIN) == text.count(listing.END) == 1
    assert listing.with_table(text) == text, "write it with `python -m recipes.listing`"


def test_every_shipped_target_is_a_row():
    rows = [line for line in listing.markdown().splitlines() if line.startswith("| `")]
    assert len(rows) == len(list(listing.rows()))
    assert any(line.startswith("| `dml` | windows-arm64 | ") for line in rows)
