import io
import struct
import warnings
import zipfile

import pytest

from recipes.audit import audit_wheels
from recipes.audit.readers import limits
from recipes.audit.readers.zip_archive import BrokenArchiveError, inspect, open_archive, unsafe_name

from .factory import PLAIN, make


def reported(tmp_path, data):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(data)
    return {f.rule: f.message for f in audit_wheels([path], online=False)}


def healthy(tmp_path):
    return make(tmp_path / "healthy", PLAIN).read_bytes()


def directory(data):
    """Return the offset of the central directory."""
    return struct.unpack_from("<L", data, len(data) - 6)[0]


def test_data_before_the_archive_is_refused(tmp_path):
    """Otherwise a wheel could be a program as well."""
    assert "data was put before" in reported(tmp_path, b"#!/bin/sh\n" + healthy(tmp_path))["archive-broken"]


def test_a_directory_that_claims_other_numbers_is_refused(tmp_path):
    data = bytearray(healthy(tmp_path))
    struct.pack_into("<2H", data, len(data) - 14, 3, 3)
    assert "claims 3" in reported(tmp_path, bytes(data))["archive-broken"]


@pytest.mark.parametrize(("entries", "size"), [(0xFFFE, 60 << 20), (0xFFFE, 46)])
def test_a_directory_larger_than_any_is_refused_before_it_is_read(tmp_path, entries, size):
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, size, 0, 0)
    assert {"archive-broken", "archive-unchecked"} & reported(tmp_path, bytes(100) + end).keys()


def test_zip64_is_read(tmp_path):
    """A wheel may have ZIP64 records; here the ordinary one is replaced by them."""
    data = healthy(tmp_path)
    end = struct.unpack("<4s4H2LH", data[-22:])
    count, size, offset = end[4], end[5], end[6]
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(data) - 22, 1)
    short = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert reported(tmp_path, data[:-22] + record + locator + short) == {}
    assert "ZIP64" in reported(tmp_path, data[:-22] + short)["archive-broken"]
    damaged = record.replace(b"PK\x06\x06", b"PK\x06\x00")
    assert "ZIP64" in reported(tmp_path, data[:-22] + damaged + locator + short)["archive-broken"]


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """The trick of overlapping bombs: many entries of the directory lead to the same data."""
    data = bytearray(healthy(tmp_path))
    at = directory(data)
    name, extra, comment = struct.unpack_from("<3H", data, at + 28)
    second = at + 46 + name + extra + comment
    struct.pack_into("<L", data, second + 42, 0)  # the second member begins where the first does
    assert "archive-header" in reported(tmp_path, bytes(data))


def test_a_member_with_another_name_in_its_own_header_is_reported(tmp_path):
    data = healthy(tmp_path).replace(b"demo/LICENSE", b"demo/LICENZE", 1)
    assert "archive-header" in reported(tmp_path, data)


def test_a_size_that_the_directory_understates_is_reported(tmp_path):
    data = bytearray(healthy(tmp_path))
    struct.pack_into("<L", data, directory(data) + 24, 3)
    assert {"archive-header", "archive-broken"} <= reported(tmp_path, bytes(data)).keys()


def test_encrypted_members_are_reported_and_not_read(tmp_path):
    data = bytearray(healthy(tmp_path))
    data[6] |= 1
    data[directory(data) + 8] |= 1
    assert reported(tmp_path, bytes(data)).keys() == {"archive-method"}


def test_bytes_between_members_are_reported(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"1")
        packed.write(b"hidden" * 10)
        archive.start_dir = packed.tell()
        archive.writestr("b", b"2")
    with zipfile.ZipFile(packed) as archive:
        assert [p.message for p in inspect(archive, packed)] == ["follows bytes that belong to no member"]


def test_streamed_members_are_fine():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("b", b"2")
    packed = io.BytesIO(pipe.getvalue())
    with zipfile.ZipFile(packed) as archive:
        assert list(inspect(archive, packed)) == []


@pytest.mark.parametrize("name", ["a/b.py", "a b/ü.txt", "a/", "..a/b..", "a/.hidden"])
def test_ordinary_names_are_safe(name):
    assert unsafe_name(name) == ""


@pytest.mark.parametrize(
    "name",
    ["", " ", "/a", "//server/a", "C:/a", "c:a", "a/../b", "..", "./a", "a//b", "a\\b", "a\0b", "a\nb", "a" * 1025],
)
def test_other_names_are_not(name):
    assert unsafe_name(name)


def test_a_wheel_with_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_MEMBERS", 3)
    with pytest.raises(BrokenArchiveError, match="claims 5 members"):
        open_archive(make(tmp_path, PLAIN))


def test_many_small_bombs_are_one_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UNPACKED", 100_000)
    spec = PLAIN
    for number in range(3):
        spec = spec.with_file(f"demo/{number}.bin", bytes(50_000))
    found = audit_wheels([make(tmp_path, spec)], online=False)
    assert {f.rule for f in found} == {"archive-bomb"}


def test_a_binary_larger_than_memory_allows_is_read_from_a_file(tmp_path, monkeypatch):
    from .factory import GENAI

    monkeypatch.setattr(limits, "IN_MEMORY", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no file may stay open
        found = audit_wheels([make(tmp_path, GENAI)], online=False)
    assert {f.rule for f in found} == {"windows-version"}
