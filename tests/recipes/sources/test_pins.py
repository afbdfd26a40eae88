"""What was learnt once is verified ever after."""

import pytest

from recipes.sources.pins import Pins
from wheelhouse.errors import InputError, IntegrityError


def test_learn_know_and_refuse(tmp_path):
    pins = Pins(tmp_path / "r.toml")
    assert pins.known("x") is None
    pins.learn("x", "1")
    pins.learn("x", "1")
    pins.learn("y", "2")
    assert (Pins(tmp_path / "r.toml").known("x"), pins.known("y")) == ("1", "2")
    with pytest.raises(IntegrityError, match=r"x is now 3, but 1 was recorded in r\.lock\.json"):
        pins.learn("x", "3")
    assert pins.known("x") == "1"


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'])
def test_a_damaged_lock_file(tmp_path, content):
    (tmp_path / "r.lock.json").write_text(content)
    with pytest.raises(InputError, match="Restore or remove it"):
        Pins(tmp_path / "r.toml").known("x")
