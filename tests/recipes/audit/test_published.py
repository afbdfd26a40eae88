"""The audit of wheels that everybody can download: what is wrong with them is found, and nothing else is."""

import subprocess
import sys

import pytest

from recipes.audit import Severity, audit_wheels
from recipes.audit.auditing import audit_read, read_wheels
from wheelhouse.paths import cache_dir

pytestmark = pytest.mark.network

LINUX = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
WINDOWS = ("win_amd64",)
API = {"0.9.2": 22, "0.11.4": 23, "0.12.2": 23, "0.13.1": 23, "0.13.2": 23, "0.14.0": 24, "0.14.1": 23}
"""What the DLLs say. 0.14.0 was compiled with the headers of 24, 0.14.1 with those of 23 again."""


def download(requirement, platforms=WINDOWS):
    """Download one wheel for Python 3.12, once."""
    folder = cache_dir("audit-tests", f"{requirement}-{platforms[0]}")
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
        command += ["--python-version", "3.12", *(o for name in platforms for o in ("--platform", name)), requirement]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    return next(folder.glob("*.whl"))


def genai(version):
    return download(f"onnxruntime-genai-directml=={version}")


@pytest.mark.parametrize(
    ("version", "requirement"),
    [
        ("0.14.1", "onnxruntime-directml>=1.26.0"),
        ("0.14.0", "onnxruntime-directml>=1.26.0"),
        ("0.13.2", "onnxruntime-directml>=1.25.1"),
    ],
)
def test_wheels_that_cannot_be_installed(version, requirement):
    errors = [f for f in audit_wheels([genai(version)]) if f.severity is Severity.ERROR]
    assert [f.rule for f in errors] == ["requirement-unsatisfiable"]
    assert f"'{requirement}'" in errors[0].message
    assert "the newest that PyPI has is 1.24.4" in errors[0].message


def test_the_last_pair_that_goes_together():
    found = audit_wheels([genai("0.13.1"), download("onnxruntime-directml==1.24.4")], pair=True)
    assert {f.rule for f in found if f.severity is not Severity.INFO} == {"requires-python"}  # GenAI says none
    assert {f.rule for f in found} <= {"msvc-runtime", "windows-version", "requires-python"}


def test_what_is_wrong_with_the_arm64_wheel_of_windows_ml():
    found = audit_wheels([download("onnxruntime-genai-winml==0.18.0", ("win_arm64",))], online=False)
    errors = {f.rule: f.message for f in found if f.severity is Severity.ERROR}
    assert errors.keys() == {"import-delayed-missing", "import-undeclared"}
    assert "onnxruntime.dll late" in errors["import-delayed-missing"]
    assert "'onnxruntime'" in errors["import-undeclared"]


@pytest.mark.parametrize("platform", ["win_amd64", "win_arm64"])
def test_an_extension_may_export_it_at_any_ordinal(platform):
    found = audit_wheels([download("onnxruntime-windowsml==1.30.0.202609102321", (platform,))], online=False)
    assert [f for f in found if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize(("version", "api"), API.items())
def test_the_api_version_in_the_library(version, api):
    library = read_wheels([genai(version)])[0].binary_named("onnxruntime-genai.dll")
    assert library.api_compiled.value == api
    assert library.agility_asked.value == 614


def test_what_the_runtime_offers():
    library = read_wheels([download("onnxruntime-directml==1.24.4")])[0].binary_named("onnxruntime.dll")
    assert library.api_offered.value == 24


@pytest.mark.parametrize(
    ("requirement", "platforms"),
    [
        ("onnxruntime-directml==1.24.4", WINDOWS),
        ("onnxruntime-genai==0.18.0", LINUX),
        ("onnxruntime==1.31.1", LINUX),
        ("numpy==2.3.4", WINDOWS),
        ("numpy==2.3.4", LINUX),
        ("lxml==6.1.3", WINDOWS),
        ("pyyaml==6.0.3", LINUX),
        ("rich==15.0.0", LINUX),
        ("setuptools==84.2.1", LINUX),
    ],
)
def test_ordinary_wheels_give_no_alarm(requirement, platforms):
    found = audit_read(read_wheels([download(requirement, platforms)]), online=False)
    told = {f.rule for f in found if f.severity is not Severity.INFO}
    # Microsoft's GenAI wheels do lack a Requires-Python: pip offers them to a Python that they are not for.
    assert told == ({"requires-python"} if requirement.startswith("onnxruntime-genai") else set())
