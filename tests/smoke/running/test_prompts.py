import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.running import prompts
from wheelhouse.errors import InputError


def test_our_own_prompts_are_valid():
    assert prompts.load(None) == prompts.parse("\n".join(prompts.DEFAULT), "ours")


def test_a_file_with_comments_blank_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "p.txt"
    path.write_bytes("\ufeffWer?\r\n\n# no\n  Qué es 「これ」?  \n".encode())
    assert prompts.load(path) == ("Wer?", "Qué es 「これ」?")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no prompt"),
        (b"\n \n# only a comment\n", "holds no prompt"),
        (b"caf\xe9", "not UTF-8 (byte 3)"),
        (b"a\x1b[2Jb", "control character U+001B"),
        (b"a\x00b", "control character U+0000"),
        (b"x" * 1_000_001, "1000001 characters"),
        (b"x\n" * 101, "101 prompts"),
    ],
)
def test_what_cannot_be_asked(tmp_path, content, words):
    path = tmp_path / "p.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        prompts.load(path)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            prompts.load(path)


@given(st.text())
def test_any_text_gives_prompts_or_an_error(text):
    try:
        found = prompts.parse(text, "file")
    except InputError:
        return
    assert found
    assert all(prompt == prompt.strip() and "\n" not in prompt and prompt for prompt in found)
    assert prompts.parse("\n".join(found), "again") == found
