"""Processor, wholeness and version are read from the headers of PE, ELF and import libraries."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recipes.staging.binaries import library_version, read_binary
from tests.recipes import binary_files
from wheelhouse.errors import InputError

MAKERS = {"PE": binary_files.pe, "ELF": binary_files.elf, "COFF library": binary_files.import_library}


@pytest.mark.parametrize("arch", ["x64", "arm64"])
@pytest.mark.parametrize("kind", MAKERS)
def test_kind_and_processor(tmp_path, kind, arch):
    file = tmp_path / "library"
    file.write_bytes(MAKERS[kind](arch))
    facts = read_binary(file)
    assert (facts.kind, facts.arch) == (kind, arch)
    assert facts.size <= file.stat().st_size


def test_an_import_library_whose_members_have_long_names(tmp_path):
    file = tmp_path / "library.lib"
    file.write_bytes(binary_files.import_library("arm64", member=b"/0"))
    assert read_binary(file).arch == "arm64"


@pytest.mark.parametrize("kind", MAKERS)
def test_every_truncation_is_noticed(tmp_path, kind):
    whole = MAKERS[kind]()
    file = tmp_path / "library"
    # an archive that ends between two members is a whole archive: staging then misses the processor
    for length in {*range(0, len(whole), 9), len(whole) - 2, 20, 63} - {8, 72}:
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"truncated|cannot be read|neither a Windows"):
            read_binary(file)


def test_an_archive_without_an_object_has_no_processor(tmp_path):
    file = tmp_path / "empty.lib"
    file.write_bytes(binary_files.import_library()[:72])
    assert read_binary(file).arch == "unknown"


def test_an_unknown_processor_is_named(tmp_path):
    file = tmp_path / "library.dll"
    file.write_bytes(binary_files.pe().replace(b"PE\0\0\x64\x86", b"PE\0\0\x34\x12"))
    assert read_binary(file).arch == "unknown 0x1234"


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (binary_files.pe(version="1.24.20260316.2.9f34b6f"), (1, 24)),  # as in the published DirectML build
        (binary_files.elf(version="1.26.0"), (1, 26)),
        (binary_files.elf(version=""), None),
    ],
)
def test_version(tmp_path, data, version):
    file = tmp_path / "library"
    file.write_bytes(data)
    assert library_version(file) == version


@given(data=st.binary(max_size=400), start=st.sampled_from([b"", b"MZ", b"\x7fELF\x02", b"!<arch>\n"]))
def test_arbitrary_bytes_give_facts_or_an_input_error(tmp_path_factory, data, start):
    file = tmp_path_factory.mktemp("b") / "library"
    file.write_bytes(start + data)
    try:
        facts = read_binary(file)
    except InputError:
        return
    assert 0 <= facts.size <= file.stat().st_size


def test_an_archive_that_points_backwards_is_not_walked_for_ever(tmp_path):
    data = bytearray(binary_files.import_library())
    data[8 + 48 : 8 + 58] = b"-60       "  # the size of the first member: back to its own header
    file = tmp_path / "library.lib"
    file.write_bytes(bytes(data))
    assert read_binary(file).arch == "unknown"


@example(position=39, value=128, kind="ELF")  # an offset that is no file's
@given(position=st.integers(0, 180), value=st.integers(0, 255), kind=st.sampled_from(sorted(MAKERS)))
def test_a_changed_byte_never_escapes_as_another_error(tmp_path_factory, position, value, kind):
    data = bytearray(MAKERS[kind]())
    data[position % len(data)] = value
    file = tmp_path_factory.mktemp("b") / "library"
    file.write_bytes(bytes(data))
    try:
        read_binary(file)
        library_version(file)
    except InputError:
        pass
