"""The closure of headers is found as a compiler finds them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.staging.header_closure import api_version, closure, includes_of
from wheelhouse.errors import InputError


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".h").write_text(text, encoding="utf-8")


def test_transitive_and_cyclic(tmp_path):
    write(tmp_path, a='#include "b.h"\n', b='# include <c.h>\n#include "a.h"\n', c="#include <stdint.h>\n")
    assert closure(["a.h"], [tmp_path]).keys() == {"a.h", "b.h", "c.h"}


def test_a_header_is_looked_for_beside_its_includer_first(tmp_path):
    write(tmp_path, a='#include "sub/b.h"\n', sub__b='#include "c.h"\n#include "../d.h"\n', sub__c="", c="", d="")
    assert closure(["a.h"], [tmp_path]).keys() == {"a.h", "sub/b.h", "sub/c.h", "d.h"}


def test_the_first_folder_wins(tmp_path):
    write(tmp_path / "one", a="")
    write(tmp_path / "two", a="", b="")
    found = closure(["a.h", "b.h"], [tmp_path / "one", tmp_path / "two"])
    assert found == {"a.h": tmp_path / "one/a.h", "b.h": tmp_path / "two/b.h"}


def test_a_missing_header_is_named_with_its_includer(tmp_path):
    write(tmp_path, a='#include "gone.h"\n')
    with pytest.raises(InputError, match=r"gone\.h, which a\.h includes, is in none of"):
        closure(["a.h"], [tmp_path])
    with pytest.raises(InputError, match=r"root\.h is in none of"):
        closure(["root.h"], [tmp_path])


def test_optional_headers_are_left_out_even_where_they_exist(tmp_path):
    write(tmp_path, a='#include "experimental.h"\n', experimental="")
    assert closure(["a.h"], [tmp_path], optional=["experimental.h"]).keys() == {"a.h"}


def test_comments_and_conditionals(tmp_path):
    write(tmp_path, a='// #include "x.h"\n/* #include "y.h" */\n#if 0\n#include "b.h"\n#endif\n', b="")
    # a conditional is followed: which branch a compiler takes is not known here, and a header too many does no harm
    assert closure(["a.h"], [tmp_path]).keys() == {"a.h", "b.h"}


@pytest.mark.parametrize("name", ["../a.h", "/etc/passwd", "..\\a.h", ".."])
def test_no_header_from_outside(tmp_path, name):
    inside = tmp_path / "include"
    write(inside, a="")
    (tmp_path / "a.h").write_text("", encoding="utf-8")
    with pytest.raises(InputError):
        closure([name], [inside])


@pytest.mark.parametrize(
    ("text", "version"), [("#define ORT_API_VERSION 23\n", 23), ("  # define ORT_API_VERSION\t7", 7)]
)
def test_api_version(tmp_path, text, version):
    (tmp_path / "onnxruntime_c_api.h").write_text(text, encoding="utf-8")
    assert api_version(tmp_path) == version


def test_api_version_absent(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        api_version(tmp_path)
    (tmp_path / "onnxruntime_c_api.h").write_text("// #define nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="does not define ORT_API_VERSION"):
        api_version(tmp_path)


@settings(max_examples=40)
@given(graph=st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7)), min_size=1))
def test_closure_is_reachability(tmp_path_factory, graph):
    folder = tmp_path_factory.mktemp("i")
    for node in range(8):
        (folder / f"h{node}.h").write_text(
            "".join(f'#include "h{n}.h"\n' for n in sorted(graph.get(node, ()))), encoding="utf-8"
        )
    reachable, queue = set(), [0]
    while queue:
        node = queue.pop()
        if node not in reachable:
            reachable.add(node)
            queue += graph.get(node, ())
    assert set(closure(["h0.h"], [folder])) == {f"h{n}.h" for n in reachable}


@given(text=st.text())
def test_any_text_can_be_scanned(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("i") / "a.h"
    file.write_text(text, encoding="utf-8", errors="replace")
    assert all(name for name, _ in includes_of(file))
