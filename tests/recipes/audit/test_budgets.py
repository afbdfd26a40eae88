"""Wheels that ask for much: each limit is kept before anything is made of it, and the finding says which it was."""

import os
import struct
import sys
import zipfile

import pytest

from recipes.audit import apart
from recipes.audit.auditing import audit_read, read_wheels
from recipes.audit.readers import limits
from recipes.audit.readers.wheel import Wheel, read_wheel
from wheelhouse.processes.bounded import limit_oneself

from . import hostile
from .factory import PLAIN, make

SECONDS = 5.0 if sys.platform == "win32" else 0.4
"""What a reader may compute in a test: starting one counts, and takes a second in Wine."""

WORDS = {
    "long symbols": "a name of more than 65536 bytes",
    "standing versions": "",
    "many libraries": "a name of more than 65536 bytes",
    "many debug entries": "1000 debug entries",
    "many sections": "",
}


@pytest.mark.parametrize("name", hostile.MEMBERS)
def test_a_binary_that_asks_for_more_than_any_is_not_looked_at(tmp_path, name):
    wheel = read_wheel(make(tmp_path, hostile.MEMBERS[name]))
    (binary,) = wheel.binaries.values()
    assert WORDS[name] in binary.problem
    assert sum(map(len, binary.exports)) + sum(map(len, binary.needs)) < 1 << 20
    assert len(binary.imports) < 100


def test_names_of_all_symbols_together_have_a_limit():
    """Each is short enough, and all are the same bytes of the file."""
    from recipes.audit.readers.elf import read_elf
    from tests.recipes.audit.elf_builder import build_elf

    count = limits.MAX_NAMES // 60_000 + 10
    data = bytearray(build_elf(exports=["n" * 60_000, *(f"s{n}" for n in range(count))]))
    first = data.find(struct.pack("<IBBH", 1, 0x12, 0, 1))
    for row in range(count):
        struct.pack_into("<I", data, first + 24 * row, 1)
    assert "more than" in read_elf("x.so", bytes(data)).problem


@pytest.mark.parametrize("file", ["METADATA", "WHEEL"])
@pytest.mark.parametrize("line", ["Tag: py3-none-any\n", "X{n}: y\n"])
def test_headers_have_a_limit(tmp_path, file, line):
    lines = "".join(line.format(n=n) for n in range(400_000))
    if file == "METADATA":
        spec = PLAIN.but(metadata=f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{lines}")
    else:
        spec = PLAIN.but(extra={"WHEEL": f"Wheel-Version: 1.0\n{lines}".encode()})
    wheel = read_wheel(make(tmp_path, spec))
    assert sum(map(len, wheel.headers.values())) <= limits.MAX_HEADERS
    if file == "METADATA":
        assert "header lines, more than any" in " ".join(wheel.metadata.problems)


@pytest.mark.parametrize("depth", [10, 2000])
def test_a_description_of_nested_parts_is_not_unfolded(tmp_path, depth):
    wheel = read_wheel(make(tmp_path, PLAIN.but(extra={"METADATA": hostile.nested_mime(depth)})))
    assert wheel.readable
    assert wheel.metadata.name == "demo"


@pytest.mark.parametrize("digits", [4301, 6000, 100_000])
@pytest.mark.parametrize("place", ["version", "requirement", "python", "file name"])
def test_numbers_of_thousands_of_digits(tmp_path, digits, place):
    number = "1" * digits
    spec = PLAIN.but(
        requires=(f"numpy=={number}",) if place == "requirement" else (),
        python=f">={number}" if place == "python" else ">=3.11",
    )
    if place == "version":
        spec = spec.but(metadata=f"Metadata-Version: 2.1\nName: demo\nVersion: {number}\n")
    if place == "file name":
        spec = spec.but(filename=f"demo-{number[:200]}-py3-none-any.whl")
    found = audit_read(read_wheels([make(tmp_path, spec)]), online=False)
    assert found
    assert all(len(finding.message) < 2000 for finding in found)


def test_an_offset_beyond_every_file(tmp_path):
    path = make(tmp_path, PLAIN.but(archive=hostile.beyond_the_file))
    assert {"archive-header", "archive-broken"} & {f.rule for f in audit_read(read_wheels([path]), online=False)}


def test_members_of_zeros_have_a_limit_together(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(hostile.zeros(20, 15_000_000))
    (finding,) = audit_read(read_wheels([path]), online=False)
    assert finding.rule == "archive-bomb"
    assert "300000000 bytes" in finding.message


def test_findings_of_one_rule_are_counted_beyond_what_anybody_reads(tmp_path):
    path = make(tmp_path, PLAIN.but(record=lambda rows: rows[-1:], files={f"demo/{n}.py": b"" for n in range(500)}))
    found = audit_read(read_wheels([path]), online=False)
    assert len(found) < 2 * limits.MAX_FINDINGS
    assert any("more of these" in finding.message for finding in found)


def test_a_check_that_a_wheel_breaks_is_a_finding(tmp_path, monkeypatch):
    def check(*_):
        raise RecursionError("too deep")

    monkeypatch.setattr("recipes.audit.rules.CHECKS", (check,))
    (finding,) = audit_read(read_wheels([make(tmp_path, PLAIN)]), online=False)
    assert finding.rule == "archive-unchecked"
    assert "too deep" in finding.message


class TestApart:
    """Readers in processes of their own."""

    def test_give_the_same_wheels(self, tmp_path):
        paths = [make(tmp_path / str(n), PLAIN.but(version=f"{n}.0")) for n in range(3)]
        assert read_wheels(paths, apart=True) == read_wheels(paths)

    @pytest.mark.skipif(os.name != "posix", reason="names are text there")
    def test_a_name_that_is_no_utf8_is_read_too(self, tmp_path):
        path = make(tmp_path, PLAIN)
        odd = path.rename(tmp_path / "odd\udcff-1.0-py3-none-any.whl")
        assert read_wheels([odd], apart=True)[0].readable

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("while True: pass", "takes more than"),
            ("x = bytearray(400 << 20); import time; time.sleep(9)", "memory"),
            ("import os; os._exit(3)", "ended the process"),
            ("import os; os.kill(os.getpid(), 11)", "ended the process"),
        ],
    )
    def test_a_reader_beyond_its_limits_is_ended_and_the_next_wheel_is_read(self, tmp_path, monkeypatch, code, words):
        hook = tmp_path / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(
            "import sys\n"
            "def trace(event, args):\n"
            "    if event == 'open' and str(args[0]).endswith('bad-1.0-py3-none-any.whl'):\n"
            f"        {code}\n"
            "sys.addaudithook(trace)\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("PYTHONPATH", str(hook))
        monkeypatch.setattr(apart, "seconds_for", lambda _: SECONDS)
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        bad, good = make(tmp_path, PLAIN.but(name="bad")), make(tmp_path, PLAIN)
        first, second = read_wheels([bad, good], apart=True)
        assert not first.readable
        assert words in first.problems[0].message
        assert second.readable

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
    def test_a_reader_limits_itself(self, monkeypatch):
        resource = pytest.importorskip("resource")
        asked = {}
        monkeypatch.setattr(resource, "setrlimit", lambda kind, limit: asked.update({kind: limit[0]}))
        limit_oneself(20, limits.MAX_MEMORY)
        assert asked[resource.RLIMIT_DATA] == limits.MAX_MEMORY
        used = resource.getrusage(resource.RUSAGE_SELF)
        assert 20 <= asked[resource.RLIMIT_CPU] - used.ru_utime - used.ru_stime <= 22


@pytest.mark.integration
@pytest.mark.parametrize("name", [*hostile.MEMBERS, "99000 empty members", "500 members of 15 MB"])
def test_any_wheel_is_read_within_its_limits(tmp_path, name):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    if name in hostile.MEMBERS:
        path = make(tmp_path, hostile.MEMBERS[name])
    elif name.startswith("500"):
        path.write_bytes(hostile.zeros(500, 15_000_000))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(99_000):
                archive.writestr(f"demo/{number}.py", b"")
    (wheel,) = read_wheels([path], apart=True)
    assert isinstance(wheel, Wheel)
    assert wheel.readable or wheel.problems
    assert audit_read((wheel,), online=False)
