"""Licence files in METADATA: one order, whoever wrote them."""

from hypothesis import given
from hypothesis import strategies as st

from recipes.bill.licence_order import in_one_order

WINDOWS = b"Name: x\nLicense-File: LICENSE\nLicense-File: a-1/LICENSE\nLicense-File: Third.txt\nOther: y\n\nText\n"
LINUX = b"Name: x\nLicense-File: LICENSE\nLicense-File: Third.txt\nLicense-File: a-1/LICENSE\nOther: y\n\nText\n"


def test_what_windows_sorts_without_case_comes_out_as_on_linux():
    assert in_one_order(WINDOWS) == LINUX
    assert in_one_order(LINUX) == LINUX


def test_the_description_is_left_alone():
    text = b"Name: x\n\nLicense-File: b\nLicense-File: a\n"
    assert in_one_order(text) == text


@given(st.permutations([b"License-File: a", b"License-File: B", b"Name: n", b"License-File: c/D"]))
def test_nothing_is_lost_and_other_fields_keep_their_places(lines):
    made = in_one_order(b"\n".join(lines)).split(b"\n")
    assert sorted(made) == sorted(lines)
    assert made.index(b"Name: n") == lines.index(b"Name: n")
