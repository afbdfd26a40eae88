"""What was learnt once is verified ever after, and the lock that keeps it says so when somebody has edited it."""

import pytest

from recipes.sources.lock import LockedDependency
from recipes.sources.pins import Pins
from wheelhouse.errors import InputError, IntegrityError, RecipeError, UsageError

REPOSITORY, URL = "https://github.com/o/lib", "https://example.invalid/a.zip"
COMMITS, SHA = ("0" * 40, "1" * 40), "a" * 64
DEPENDENCY = LockedDependency(of="lib", name="dlib", table="cmake/deps.txt", origin=URL, upstream_sha1="2" * 40)


@pytest.fixture
def pins(tmp_path):
    made = Pins(tmp_path / "r.toml")
    made.learn_source(REPOSITORY, "v1", COMMITS[0], {"sub": COMMITS[1]})
    made.learn_dependency(DEPENDENCY)
    made.learn_archive(URL, SHA)
    made.learn_api_version(23)
    return made


def test_learn_know_and_change_no_byte(pins):
    before = pins.file.read_bytes()
    pins.learn_archive(URL, SHA)
    pins.learn_dependency(DEPENDENCY)
    pins.learn_source(REPOSITORY, "v1", COMMITS[0], {"sub": COMMITS[1]})
    pins.learn_api_version(23)
    assert pins.file.read_bytes() == before
    assert b"\r" not in before
    assert (pins.commit(REPOSITORY, "v1"), pins.sha256(URL)) == (COMMITS[0], SHA)
    assert (pins.commit(REPOSITORY, "v2"), pins.sha256("x")) == (None, None)


def test_the_order_of_learning_does_not_show(pins, tmp_path):
    (tmp_path / "other").mkdir()
    other = Pins(tmp_path / "other" / "r.toml")
    other.learn_api_version(23)
    other.learn_archive(URL, SHA)
    other.learn_dependency(DEPENDENCY)
    other.learn_source(REPOSITORY, "v1", COMMITS[0], {"sub": COMMITS[1]})
    assert other.file.read_bytes() == pins.file.read_bytes()


@pytest.mark.parametrize(
    "again",
    [
        lambda p: p.learn_source(REPOSITORY, "v1", COMMITS[1]),
        lambda p: p.learn_archive(URL, "b" * 64),
        lambda p: p.learn_api_version(24),
        lambda p: p.learn_dependency(
            LockedDependency(of="lib", name="dlib", table="t", origin="https://other.invalid")
        ),
    ],
)
def test_a_contradiction_names_both_values_and_the_remedy(pins, again):
    before = pins.file.read_bytes()
    said = r"is now .* was recorded in r\.lock\.toml(:\d+)?: it has moved.*--upgrade"
    with pytest.raises(IntegrityError, match=said):
        again(pins)
    assert pins.file.read_bytes() == before


def test_forget_one_and_everything(pins):
    assert pins.forget("dlib") == 2  # what was declared, and the archive that it was
    assert pins.sha256(URL) is None
    assert pins.commit(REPOSITORY, "v1")
    assert pins.forget("lib") == 1
    with pytest.raises(UsageError, match="has no 'lib'"):
        pins.forget("lib")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (SHA, "b" * 64, InputError, r"r\.lock\.toml:4: .* it was edited"),
        ("format = 1", "format = 2", InputError, r":2: it has format 2.*Update this program"),
        ('recipe = "r"', 'recipe = "s"', InputError, r":3: it is the lock of recipe 's'"),
        ("origin = ", "origni = ", RecipeError, r"r\.lock\.toml:17: unknown key 'origni'.*Did you mean 'origin'"),
        ("format = 1", 'format = "1"', RecipeError, r"r\.lock\.toml:2: Expected `int`, got `str`.*run `invoke lock`"),
        ("[[archive]]", "[[archive", RecipeError, "not valid TOML"),
    ],
)
def test_a_lock_that_cannot_be_used(pins, old, new, error, message):
    text = pins.file.read_text(encoding="utf-8")
    assert old in text
    pins.file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(error, match=message):
        pins.read()
