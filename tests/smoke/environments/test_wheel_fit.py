import sys
from pathlib import Path

import pytest
from packaging.tags import platform_tags

from smoke.environments import wheel_fit
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError

HERE = next(platform_tags())


def test_python_follows_the_wheel(tmp_path: Path) -> None:
    pure = make_wheel(tmp_path, tag="py3-none-any")
    old = make_wheel(tmp_path, package="genai", tag=f"cp313-cp313-{HERE}")
    assert wheel_fit.python_for([pure], "3.11") == "3.11"
    assert wheel_fit.python_for([pure, old], "3.11") == "3.13"
    assert wheel_fit.distribution(make_wheel(tmp_path, package="onnxruntime_genai")) == "onnxruntime-genai"


def test_wheels_for_other_hosts_and_at_odds_are_refused(tmp_path: Path) -> None:
    foreign = "win_amd64" if sys.platform != "win32" else "manylinux_2_28_x86_64"
    with pytest.raises(InputError, match="cannot be installed on this host"):
        wheel_fit.python_for([make_wheel(tmp_path, tag=f"cp312-cp312-{foreign}")], "3.11")
    pair = [make_wheel(tmp_path, package=f"p{v}", tag=f"cp{v}-cp{v}-{HERE}") for v in ("312", "313")]
    with pytest.raises(InputError, match="No one Python"):
        wheel_fit.python_for(pair, "3.11")


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        wheel_fit.wheel_tags(tmp_path / "a-1.0-py3-none-any.whl")
    misnamed = tmp_path / "wheel.whl"
    misnamed.write_bytes(b"")
    with pytest.raises(InputError, match="not named like a wheel"):
        wheel_fit.wheel_tags(misnamed)
    whole = make_wheel(tmp_path, tag="py3-none-any")
    whole.write_bytes(whole.read_bytes()[:100])
    with pytest.raises(InputError, match="not a complete zip"):
        wheel_fit.wheel_tags(whole)
