import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recipes.audit import Severity, audit_wheels
from recipes.audit.auditing import read_wheels
from recipes.audit.findings import REGISTRY
from recipes.audit.processor_twins import differences, side_in
from recipes.audit.rules import CHECKS
from recipes.audit.surroundings import Context, Offer

from .defects import DEFECTS
from .factory import (
    GENAI,
    LINUX,
    LINUX_RUNTIME,
    OGA_EXPORTS,
    PLAIN,
    RUNTIME,
    build_elf,
    build_pe,
    extension,
    make,
    runtime_dll,
)
from .machine_code import genai_arm64, runtime_linux

STATED = {"windows-version"}
ASKED = {"requirement-unsatisfiable", "requirement-unchecked"}  # need an index
PAIRED = {"api-version", "pair-mismatch", "twin-differs"}  # need two wheels
BUILD_ROOT = "D:\\a\\wheelhouse"


def rules(findings):
    return {f.rule for f in findings}


def test_every_rule_has_a_wheel_that_breaks_it():
    assert DEFECTS.keys() | ASKED | PAIRED == REGISTRY.keys()


@pytest.mark.parametrize(
    ("rule", "spec"), [(rule, spec) for rule, specs in DEFECTS.items() for spec in specs], ids=lambda v: str(v)[:30]
)
def test_a_defect_is_found_and_nothing_else(tmp_path, rule, spec):
    found = audit_wheels([make(tmp_path, spec)], online=False, build_roots=(BUILD_ROOT,))
    assert rules(found) - STATED == {rule} - STATED
    assert rule in rules(found)
    assert all(f.remedy and f.message and f.wheel.endswith(".whl") for f in found)


@pytest.mark.parametrize(
    "rule", [r for r, rule in REGISTRY.items() if rule.severity is Severity.ERROR and r in DEFECTS]
)
def test_errors_are_errors(tmp_path, rule):
    found = audit_wheels([make(tmp_path, DEFECTS[rule][0])], online=False)
    assert {f.severity for f in found if f.rule == rule} == {Severity.ERROR}


def pair(tmp_path, *specs):
    return audit_wheels([make(tmp_path, spec) for spec in specs], pair=True, online=False)


def test_an_api_version_that_is_too_new_for_its_pair(tmp_path):
    old = RUNTIME.with_file("onnxruntime/capi/onnxruntime.dll", runtime_dll(22))
    found = [f for f in pair(tmp_path, GENAI, old) if f.rule not in STATED]
    assert rules(found) == {"api-version"}
    assert "needs ORT API 23" in found[0].message
    assert "offers 22" in found[0].message


def test_the_requirement_alone_makes_a_pair_of_audited_wheels(tmp_path):
    old = RUNTIME.with_file("onnxruntime/capi/onnxruntime.dll", runtime_dll(22))
    found = audit_wheels([make(tmp_path, GENAI), make(tmp_path, old)], online=False)
    assert rules(found) - STATED == {"api-version"}


def test_of_several_that_fit_the_newest_is_the_pair(tmp_path):
    """As pip would choose: 1.24 is newer than 1.9, whatever their spelling says."""
    genai = GENAI.but(own=False, version="0.15.2", requires=("onnxruntime-directml>=1.9",))
    old = RUNTIME.but(version="1.9.0").with_file("onnxruntime/capi/onnxruntime.dll", runtime_dll(9))
    found = audit_wheels([make(tmp_path, spec) for spec in (genai, old, RUNTIME)], online=False)
    assert "api-version" not in rules(found)


@pytest.mark.parametrize(("offered", "expected"), [(31, set()), (18, set()), (17, {"api-version"})])
def test_on_linux_the_lowest_version_counts(tmp_path, offered, expected):
    library = build_elf(
        exports=("OrtGetApiBase",), soname="libonnxruntime.so.1", code=runtime_linux(offered), table_to_code=16
    )
    runtime = LINUX_RUNTIME.with_file("onnxruntime/capi/libonnxruntime.so.1.31.1", library)
    assert rules(pair(tmp_path, LINUX, runtime)) == expected


def test_a_runtime_without_readable_code_is_judged_by_its_version(tmp_path):
    library = build_elf(exports=("OrtGetApiBase",), soname="libonnxruntime.so.1")
    spec = LINUX_RUNTIME.but(version="1.17.0").with_file("onnxruntime/capi/libonnxruntime.so.1.31.1", library)
    found = pair(tmp_path, LINUX.but(requires=("onnxruntime>=1.17",)), spec)
    assert [f.message for f in found if f.rule == "api-version"] == [
        "needs ORT API 18, onnxruntime-1.17.0-cp312-cp312-manylinux_2_28_x86_64.whl offers 17 (its version 1.17.0)"
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (GENAI, RUNTIME.but(version="1.24.3"), "requires 'onnxruntime-directml==1.24.4', not 1.24.3"),
        (GENAI, RUNTIME.but(tag="cp313-cp313-win_amd64"), "not for the same platform and Python"),
        (PLAIN, PLAIN.but(name="other"), "neither requires the other"),
    ],
)
def test_wheels_that_do_not_belong_together(tmp_path, first, second, why):
    found = [f for f in pair(tmp_path, first, second) if f.rule == "pair-mismatch"]
    assert why in found[0].message


def test_files_of_a_pair_that_overwrite_each_other(tmp_path):
    found = pair(tmp_path, GENAI.with_file("shared/x.py", b"1"), RUNTIME.with_file("shared/x.py", b"2"))
    assert [(f.rule, f.where) for f in found if f.rule not in STATED] == [("pair-mismatch", "shared/x.py")]


def test_a_pair_with_two_runtimes(tmp_path):
    both = GENAI.with_file("onnxruntime_genai/onnxruntime.dll", runtime_dll())
    found = [f for f in pair(tmp_path, both, RUNTIME) if f.rule == "two-runtimes"]
    assert [f.severity for f in found] == [Severity.ERROR]
    assert found[0].where == "onnxruntime/capi/onnxruntime.dll"
    assert "onnxruntime_genai/onnxruntime.dll" in found[0].message
    beside = audit_wheels([make(tmp_path, both), make(tmp_path, RUNTIME)], online=False)
    assert "two-runtimes" in rules(beside)


ARM = "cp312-cp312-win_arm64"


def arm64(spec=GENAI, **exports):
    """The ARM64 twin of a wheel for x64."""
    parts = {p: d for p, d in spec.files.items() if not p.endswith((".pyd", "D3D12Core.dll"))}
    dll = build_pe(
        machine="arm64",
        imports={"onnxruntime.dll": [1], "d3d12.dll": ["D3D12GetInterface"], "KERNEL32.dll": ["Sleep"]},
        exports=exports or OGA_EXPORTS,
        code=genai_arm64(23),
    )
    pyd = extension(machine="arm64", imports={"onnxruntime-genai.dll": ["OgaCreateModel"]})
    more = {
        "onnxruntime_genai/onnxruntime-genai.dll": dll,
        "onnxruntime_genai/onnxruntime_genai.cp312-win_arm64.pyd": pyd,
    }
    return spec.but(tag=ARM, files={**parts, **more})


@pytest.mark.parametrize(
    ("twin", "where", "what"),
    [
        (arm64(), "", ""),
        (arm64(GENAI.with_file("onnxruntime_genai/__init__.py", b"x = 2")), "__init__.py", "has another content"),
        (arm64(GENAI.with_file("onnxruntime_genai/more.py", b"")), "more.py", "is only there"),
        (arm64(GENAI.without("onnxruntime_genai/__init__.py")), "__init__.py", "is missing"),
        (arm64(**OGA_EXPORTS, OgaMore=99), "onnxruntime-genai.dll", "alone exports OgaMore"),
    ],
)
def test_the_arm64_twin_is_the_same_but_for_the_processor(tmp_path, twin, where, what):
    both = [make(tmp_path, GENAI), make(tmp_path, twin)]
    found = [f for f in audit_wheels(both, online=False) if f.rule == "twin-differs"]
    assert [(f.wheel, f.severity) for f in found] == ([(both[1].name, Severity.ERROR)] if what else [])
    assert all(f.where.endswith(where) and what in f.message and both[0].name in f.message for f in found)
    if what:  # read without the audit's readers, as after a build, it is the same
        assert [w for _, w in differences(*map(side_in, both))] == [found[0].message.partition(", compared")[0]]


def test_twins_of_others_of_another_version_or_python_are_no_error(tmp_path):
    foreign = arm64(GENAI.but(own=False)).with_file("onnxruntime_genai/__init__.py", b"x = 2")
    found = audit_wheels(
        [make(tmp_path, GENAI.but(own=False, version="0.16.0")), make(tmp_path, foreign)], online=False
    )
    assert "twin-differs" not in rules(found)
    specs = GENAI.but(own=False, version="0.16.0"), foreign.but(version="0.16.0")
    found = audit_wheels([make(tmp_path / "2", spec) for spec in specs], online=False)
    assert {f.severity for f in found if f.rule == "twin-differs"} == {Severity.INFO}


def test_what_is_looked_for_and_required_or_optional_is_no_finding(tmp_path):
    hard = b"from importlib.util import find_spec\nif not find_spec('onnxruntime'):\n    raise ImportError('x')\n"
    soft = b"from importlib.util import find_spec\nHAVE = find_spec('gone') is not None\nif HAVE:\n    import gone\n"
    for spec in (
        PLAIN.but(requires=("onnxruntime-directml==1.24.4",)).with_file("demo/a.py", hard),
        PLAIN.with_file("demo/a.py", soft),
        PLAIN.with_file("demo/a.py", b"find_spec(" * 3000),
    ):
        assert audit_wheels([make(tmp_path, spec)], online=False) == []


def test_the_one_import_by_ordinal_is_resolved_in_the_pair(tmp_path):
    odd = RUNTIME.with_file(
        "onnxruntime/capi/onnxruntime.dll", runtime_dll(exports={"OrtGetApiBase": 2, "OrtOther": 1})
    )
    messages = [f.message for f in pair(tmp_path, GENAI, odd) if f.rule == "import-symbol"]
    assert messages == ["imports ordinal 1 from onnxruntime.dll, which is OrtOther there and not OrtGetApiBase"]


def ask(tmp_path, spec, *offers):
    wheels = read_wheels([make(tmp_path, spec)])
    context = Context(wheels=wheels, ask=lambda requirement, wheel: offers)
    return [f for check in CHECKS for f in check(wheels[0], context) if f.rule not in STATED]


def test_a_requirement_that_no_index_satisfies(tmp_path):
    spec = GENAI.but(requires=("onnxruntime-directml==1.26.0",))
    found = ask(tmp_path, spec, Offer(source="PyPI", versions=("1.24.4", "1.24.3")))
    assert rules(found) == {"requirement-unsatisfiable"}
    assert found[0].message == (
        "cannot be installed: it requires 'onnxruntime-directml==1.26.0', "
        "and the newest that PyPI has is 1.24.4 (1 older)"
    )


def test_one_index_is_enough(tmp_path):
    offers = (Offer(source="PyPI", versions=("1.20.0",)), Offer(source="mine", versions=("1.24.4",)))
    assert ask(tmp_path, GENAI, *offers) == []


def test_an_index_that_cannot_be_reached_is_only_a_fact(tmp_path):
    found = ask(tmp_path, GENAI, Offer(source="PyPI", unknown="timed out"))
    assert [(f.rule, f.severity) for f in found] == [("requirement-unchecked", Severity.INFO)]


def test_a_requirement_of_another_platform_is_not_asked_for(tmp_path):
    spec = PLAIN.but(
        tag="cp312-cp312-win_amd64", purelib=False, requires=("uvloop; sys_platform == 'linux'", "x; extra == 'y'")
    )
    assert ask(tmp_path, spec, Offer(source="PyPI")) == []


@pytest.mark.parametrize("inside", ["00d66ef04e", "00d66ef04ec56c0d", ""])
def test_a_commit_that_is_told_shortened_is_the_same(tmp_path, inside):
    text = f'__commit__ = "{inside}"\n'.encode() if inside else b""
    spec = GENAI.but(commit="00d66ef04ec5").with_file("onnxruntime_genai/__init__.py", text)
    assert "commit-mismatch" not in rules(audit_wheels([make(tmp_path, spec)], online=False))


@pytest.mark.parametrize("name", ["libhelper.so.1", "libhelper-5409cd36.so.1.1.1k"])
def test_a_symbol_version_that_a_library_of_the_wheel_defines(tmp_path, name):
    helper = build_elf(soname=name, defines=[name, "HELPER_1", "HELPER_2"])
    user = build_elf(
        exports=("PyInit_x",), needed=(name,), runpath="$ORIGIN",
        versions={name: ["HELPER_2"], "ld-linux-x86-64.so.2": ["GLIBC_2.3"]},
    )  # fmt: skip
    spec = LINUX.with_file(f"onnxruntime_genai/{name}", helper).with_file("onnxruntime_genai/x.so", user)
    assert audit_wheels([make(tmp_path, spec)], online=False) == []


def test_glibc_2_38_may_be_needed_where_the_tag_says_so(tmp_path):
    library = build_elf(imports=["__isoc23_strtol"], versions={"libc.so.6": ["GLIBC_2.38"]})
    spec = LINUX.but(tag="cp312-cp312-manylinux_2_39_x86_64").with_file("onnxruntime_genai/libhelper.so.1", library)
    assert "manylinux-level" not in rules(audit_wheels([make(tmp_path, spec)], online=False))


def test_accounts_of_build_services_are_no_leak(tmp_path):
    data = b"C:\\Users\\cloudtest\\.cargo\\x.rs /home/runner/work/x /Users/you/x C:\\Users\\%USERNAME%\\x"
    assert audit_wheels([make(tmp_path, PLAIN.with_file("demo/x.json", data))], online=False) == []


def test_wheels_of_several_pythons_are_checked_at_once(tmp_path):
    """`build-dml` audits each Python's pair in a thread: CPython 3.11 mixed up the depths of their syntax trees."""
    source = b"from importlib.util import find_spec\n" + b"x = [1, (2, 3), {4: f(5)}]\n" * 40
    (wheel,) = read_wheels([make(tmp_path, PLAIN.with_file("demo/__init__.py", source))])
    check = next(check for check in CHECKS if check.__name__ == "undeclared")

    def at_depth(frames):
        return at_depth(frames - 1) if frames else [list(check(wheel, None)) for _ in range(10)]

    before = gc.get_threshold()
    gc.callbacks.append(yielding := lambda *_: time.sleep(0))  # another thread goes on in the middle of a tree
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(at_depth, [0, 3, 6, 9]))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(yielding)
    assert found == [[[]] * 10] * 4


@pytest.mark.parametrize(
    ("source", "requires"),
    [
        (b"import numpy.linalg, yaml, google.protobuf.message\n", ("numpy", "PyYAML>=6", "protobuf")),
        (b"from dateutil import tz\nfrom PIL import Image\n", ("python-dateutil", "pillow")),
        (b"import onnxruntime\n", ("onnxruntime-gpu",)),
        (b"try:\n    import torch\nexcept ImportError:\n    torch = None\n", ()),
        (b"if x:\n    import torch\ndef f():\n    import torch\n", ()),
        (b"from __future__ import annotations\nimport json, demo.later\nfrom .. import y\n", ()),
        (b"import (\n", ()),
    ],
)
def test_what_is_required_or_not_imported_at_once_is_nothing_to_say(tmp_path, source, requires):
    spec = PLAIN.but(requires=requires).with_file("demo/__init__.py", source).with_file("demo/aside.py", b"import x\n")
    assert "import-undeclared" not in rules(audit_wheels([make(tmp_path, spec)], online=False))


def test_a_name_that_only_sounds_like_a_requirement_is_none(tmp_path):
    spec = PLAIN.but(requires=("onnxruntime",)).with_file("demo/__init__.py", b"import onnx\n")
    (found,) = [f for f in audit_wheels([make(tmp_path, spec)], online=False) if f.rule == "import-undeclared"]
    assert found.where == "demo/__init__.py"
    assert "'onnx'" in found.message
