"""Upstream's own files are read, and every line that cannot be is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.sources import tables
from wheelhouse.errors import InputError

SHA1 = "0123456789ABCDEF0123456789abcdef01234567"
ROWS = f"""#Name;Url;SHA1
mathlib;https://github.com/mini/mathlib.git;{SHA1}
# a remark between
json;https://github.com/mini/json/archive/v3.zip;{SHA1}
"""
CMAKE = """
# FetchContent_Declare(remark URL https://remark.invalid)
set(D3D12_VERSION "1.614.1")
set(D3D12_URL "https://www.nuget.org/api/v2/package/D3D12/${D3D12_VERSION}")
FetchContent_Declare(d3d12lib URL ${D3D12_URL})
onnxruntime_fetchcontent_declare(
  nlohmann_json
  URL ${DEP_URL_json}
  URL_HASH SHA1=${DEP_SHA1_json}
  PATCH_COMMAND ${CMAKE_COMMAND} -P x.cmake
  EXCLUDE_FROM_ALL
)
FetchContent_Declare(dlib GIT_REPOSITORY https://github.com/mini/dlib.git GIT_TAG v19.22)
FetchContent_Declare(unknown URL ${NEVER_SET})
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake/deps.txt").write_text(ROWS, encoding="utf-8")
    (tmp_path / "cmake/lib.cmake").write_text(CMAKE, encoding="utf-8")
    (tmp_path / "packages.config").write_text(
        '<packages>\n <package id="Mini.DirectML" version="1.15.4" targetFramework="native" />\n</packages>\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize(
    ("file", "entry", "origin", "sha1", "place"),
    [
        ("cmake/deps.txt", "mathlib", f"https://github.com/mini/mathlib.git at {SHA1.lower()}", "", 2),
        ("cmake/deps.txt", "json", "https://github.com/mini/json/archive/v3.zip", SHA1.lower(), 4),
        ("cmake/lib.cmake", "d3d12lib", "https://www.nuget.org/api/v2/package/D3D12/1.614.1", "", 5),
        ("cmake/lib.cmake", "nlohmann_json", "https://github.com/mini/json/archive/v3.zip", SHA1.lower(), 6),
        ("cmake/lib.cmake", "dlib", "https://github.com/mini/dlib.git at v19.22", "", 13),
        ("packages.config", "Mini.DirectML", f"{tables.NUGET}/Mini.DirectML/1.15.4", "", 2),
    ],
)
def test_what_is_declared(checkout, file, entry, origin, sha1, place):
    found = tables.find(checkout, file, entry)
    assert (found.origin, found.sha1, found.place) == (origin, sha1, f"{file}:{place}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("json;https", "json,https", r"deps\.txt:4: .* is not name;url;sha1"),
        (f"v3.zip;{SHA1}", "v3.zip;", r"deps\.txt:4: 'json' has no SHA-1"),
        (
            "https://github.com/mini/json",
            "http://github.com/mini/json",
            r"deps\.txt:4: 'json' is not fetched over https",
        ),
        ("mathlib;", "json;", r"deps\.txt:4: 'json' is there twice"),
        ("json;", "jsn;", r"declares no 'json'\. Did you mean 'jsn'"),
    ],
)
def test_a_bad_table_is_named_by_its_line(checkout, old, new, message):
    (checkout / "cmake/deps.txt").write_text(ROWS.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        tables.find(checkout, "cmake/deps.txt", "json")


def test_what_only_cmake_could_know_and_a_missing_file(checkout):
    with pytest.raises(InputError, match=r"lib\.cmake:14: 'unknown' has no address"):
        tables.find(checkout, "cmake/lib.cmake", "unknown")
    with pytest.raises(InputError, match="cannot be read"):
        tables.find(checkout, "cmake/none.cmake", "x")


@given(text=st.text())
def test_any_text_ends_in_declarations_or_an_error_of_ours(text):
    for file in ("a.txt", "packages.config", "x.cmake"):
        try:
            list(tables.rows(text, file) if file == "a.txt" else [])
        except InputError as error:
            assert "a.txt:" in str(error)  # noqa: PT017
