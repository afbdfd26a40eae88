"""Drift between a recipe and the upstream that it pins is found in upstream's own files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.sources.drift import declared_dependencies, drift, ort_versions, report
from recipes.spec.load import load
from recipes.spec.schema import Recipe
from tests.recipes import upstream
from tests.recipes.staging.test_ort_home import COMMITS
from wheelhouse import strict_toml

# written after the shape of upstream's file: a default, another for DirectML, a package chosen by both
ORTLIB = """
if(ORT_HOME)
  set(ORT_HEADER_DIR ${ORT_HOME}/include)
else()
  set(ORT_VERSION "1.26.0")
  if (USE_DML)
    set(ORT_VERSION "1.23.4")
  elseif(USE_CUDA)
    set(ORT_PACKAGE_NAME "x")
  endif()
endif()
if(USE_DML)
  set(DML_VERSION "1.15.2")
endif()
"""
DEPS = f"""#Name;Url;SHA1
mathlib;https://github.com/mini/mathlib.git;{"0" * 40}
pybind11;https://github.com/mini/pybind11/archive/refs/tags/v2.13.6.zip;f780292da9db273c8ef06ccf5fd4b623624143e9
other;https://x.invalid/y.zip;00
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "cmake").mkdir()
    (tmp_path / "VERSION_INFO").write_text("0.15.2", encoding="utf-8")
    (tmp_path / "cmake/ortlib.cmake").write_text(ORTLIB, encoding="utf-8")
    (tmp_path / "cmake/deps.txt").write_text(DEPS, encoding="utf-8")
    return tmp_path


def recipe(*changes):
    text = upstream.recipe_text(COMMITS)
    declared = 'declared-in = "cmake/deps.txt"\nentry = "pybind11"'
    assert declared in text
    text = text.replace(declared, 'source = { repository = "https://github.com/mini/pybind11", tag = "v2.13.6" }')
    text = text.replace('ENABLE_TESTS = "OFF"', 'USE_DML = "ON"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return strict_toml.decode(text, Recipe, "r")


def test_agreement(checkout):
    assert list(drift(recipe(), checkout)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('version = "0.15.2"', 'version = "0.15.1"'), "VERSION_INFO says 0.15.2, the recipe 0.15.1"),
        (('version = "1.23.4"', 'version = "1.24.0"'), "ortlib.cmake pairs with ONNX Runtime 1.23.4"),
        (('USE_DML = "ON"', 'USE_DML = "OFF"'), "ortlib.cmake pairs with ONNX Runtime 1.26.0"),
        ((f'mathlib", commit = "{"0" * 40}"', f'mathlib", commit = "{"1" * 40}"'), "has mathlib at"),
        (("v2.13.6", "v2.13.5"), "has pybind11 at"),
        (("mini/mathlib", "fork/mathlib"), "has mathlib at"),
    ],
)
def test_each_difference(checkout, change, message):
    found = list(drift(recipe(change), checkout))
    assert len(found) == 1
    assert message in found[0]


def test_a_checkout_without_those_files_is_no_drift(tmp_path):
    assert list(drift(recipe(), tmp_path)) == []


def test_ort_versions_without_a_branch():
    assert ort_versions('set(ORT_VERSION "1.22.0")') == {"cpu": "1.22.0", "dml": "1.22.0"}


def test_report_before_the_first_fetch():
    assert next(iter(report(recipe()))).endswith("first")


def test_report_of_the_published_recipe():
    assert "compiles nothing" in next(iter(report(load("published"))))


@given(text=st.text())
def test_any_text_is_read(text):
    declared_dependencies(text)
    ort_versions(text)
