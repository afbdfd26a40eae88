"""Wheels mutated in every way: the answer is findings, never a traceback, and memory stays small."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recipes.audit import audit_wheels
from recipes.audit.auditing import audit_read, read_wheels
from recipes.audit.findings import REGISTRY
from recipes.audit.readers.elf import read_elf
from recipes.audit.readers.metadata import parse_metadata, parse_record
from recipes.audit.readers.pe import read_pe
from recipes.audit.report import to_json, to_table

from .factory import GENAI, LINUX, LINUX_RUNTIME, RUNTIME, make

THOUSANDS = int(os.environ.get("AUDIT_FUZZ_EXAMPLES", "25"))
"""Examples of each property here; the integration test below sets some thousands."""

some = settings(
    max_examples=THOUSANDS, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "insert", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.integers(1, 64),
    ),
    min_size=1,
    max_size=6,
)


def mutate(data, changes):
    """Apply changes at relative places, so that shrinking keeps them where they are."""
    raw = bytearray(data)
    for kind, where, value, count in changes:
        at = int(where * len(raw)) if raw else 0
        if kind == "flip" and raw:
            raw[at] ^= value or 1
        elif kind == "set":
            raw[at : at + count] = bytes([value]) * len(raw[at : at + count])
        elif kind == "cut":
            del raw[at : at + count * 8]
        elif kind == "insert":
            raw[at:at] = bytes([value]) * count
        else:
            raw[at:at] = raw[at : at + count * 16]
    return bytes(raw)


class Wheels:
    """Names and bytes of some wheels; its repr is short, because hypothesis prints it."""

    def __init__(self, folder):
        self.made = [make(folder, spec) for spec in (GENAI, RUNTIME, LINUX, LINUX_RUNTIME)]
        self.made = [(path.name, path.read_bytes()) for path in self.made]

    def __getitem__(self, number):
        return self.made[number]

    def __repr__(self):
        return "four wheels"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    return Wheels(tmp_path_factory.mktemp("wheels"))


def audited(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    found = audit_read(read_wheels([path]), online=False)
    to_json(read_wheels([path]), found)
    to_table(found, explained=True)
    assert {f.rule for f in found} <= REGISTRY.keys()
    return found


@some
@given(number=st.integers(0, 3), changes=mutations)
def test_any_change_to_the_archive_gives_findings(tmp_path, wheels, number, changes):
    name, data = wheels[number]
    audited(tmp_path, name, mutate(data, changes))


@some
@given(number=st.integers(0, 3), member=st.integers(0, 12), changes=mutations)
def test_any_change_to_a_member_is_seen(tmp_path, wheels, number, member, changes):
    """RECORD is not written anew: whatever is changed in a file that it lists must be reported."""
    name, data = wheels[number]
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w") as new:
        infos = old.infolist()
        chosen = infos[member % len(infos)]
        before = old.read(chosen)
        after = mutate(before, changes)
        for info in infos:
            new.writestr(info, after if info is chosen else old.read(info))
    found = audited(tmp_path, name, packed.getvalue())
    if after != before and not chosen.filename.endswith("/RECORD"):
        assert "record-mismatch" in {f.rule for f in found}


@some
@given(number=st.integers(0, 3), changes=mutations)
def test_a_damaged_binary_with_a_true_record_gives_findings(tmp_path, number, changes):
    spec = (GENAI, RUNTIME, LINUX, LINUX_RUNTIME)[number]
    library = next(path for path in spec.files if "genai." in path or "onnxruntime." in path)
    path = make(tmp_path, spec.but(own=False).with_file(library, mutate(spec.files[library], changes)))
    audit_wheels([path], online=False)


@some
@given(changes=mutations, genai=st.booleans())
def test_any_bytes_may_be_given_to_the_pe_reader(changes, genai):
    data = (
        GENAI.files["onnxruntime_genai/onnxruntime-genai.dll"]
        if genai
        else RUNTIME.files["onnxruntime/capi/onnxruntime.dll"]
    )
    read_pe("x.dll", mutate(data, changes))


@some
@given(changes=mutations, genai=st.booleans())
def test_any_bytes_may_be_given_to_the_elf_reader(changes, genai):
    spec, name = (LINUX, "onnxruntime_genai/libonnxruntime-genai.so") if genai else (
        LINUX_RUNTIME, "onnxruntime/capi/libonnxruntime.so.1.31.1",
    )  # fmt: skip
    read_elf("x.so", mutate(spec.files[name], changes))


@some
@given(data=st.binary(max_size=400))
def test_any_bytes_may_be_metadata_and_record(data):
    parse_metadata(b"Name: x\nVersion: 1\n" + data)
    parse_metadata(data)
    parse_record(data)


@some
@given(name=st.text(min_size=1, max_size=60).filter(lambda n: "\0" not in n and "/" not in n and n not in (".", "..")))
def test_any_file_name_may_be_audited(tmp_path, wheels, name):
    try:
        (tmp_path / f"{name}.whl").write_bytes(b"")
    except (OSError, UnicodeEncodeError):
        return  # the file system refuses the name, so nobody has such a wheel
    audited(tmp_path, f"{name}.whl", wheels[0][1])


@some
@example(name="\0")  # zipfile cuts it to nothing, and its is_dir() looks for a last character
@given(name=st.text(min_size=1, max_size=40))
def test_any_member_name_may_be_in_a_wheel(tmp_path, name):
    try:
        path = make(tmp_path, GENAI.with_file(name, b"x"))
    except (UnicodeEncodeError, ValueError):
        return
    audit_wheels([path], online=False)


MEASURE = """
import sys
from pathlib import Path
from recipes.audit import audit_wheels
print(sorted({f.rule for f in audit_wheels([Path(sys.argv[1])], online=False)}))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def bomb(path):
    """Write a member that unpacks to a thousand times its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.bin", "w") as member:
        for _ in range(320):
            member.write(bytes(1 << 20))


def crowd(path):
    """Write more members than are comfortable."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"m/{number}.py", b"")


def giant(path):
    """Write a library that is larger than what is kept in memory, with a call to follow in it."""
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("g/onnxruntime-genai.dll", "w") as member,
    ):
        member.write(GENAI.files["onnxruntime_genai/onnxruntime-genai.dll"])
        noise = os.urandom(1 << 20)
        for _ in range(320):
            member.write(noise)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize(
    ("write", "rule"), [(bomb, "archive-bomb"), (crowd, "metadata-missing"), (giant, "import-unknown")]
)
def test_hostile_wheels_do_not_fill_the_memory(tmp_path, write, rule):
    path = tmp_path / "hostile-1.0-cp312-cp312-win_amd64.whl"
    write(path)
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3], encoding="utf-8"
    )
    found, peak = done.stdout.splitlines()[:2]
    assert rule in found
    assert int(peak.split()[1]) < 300 * 1000  # kB


@pytest.mark.integration
def test_thousands_of_mutated_wheels():
    """The same properties with 400 examples each, 3,200 in all, in a process of its own; or as many as you set."""
    environment = {"AUDIT_FUZZ_EXAMPLES": "400", **os.environ}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "any or damaged", __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-3000:]
