"""Where a runtime's texts are unlike the reference's: what is compared, what is forgiven, what is kept."""

import sys
import unicodedata

import pytest

from smoke.backends.registry import WORKER
from smoke.running.asked import corpus

sys.path.insert(0, str(WORKER))

import worker_texts
from engine_ort_genai import OrtGenaiEngine
from worker_stream import streamed

EMOJI = "😀".encode()


class Bytes:
    """A tokenizer of single bytes; 256 is an added token."""

    def encode(self, text):
        return [256] if text == "<end>" else list(text.encode())

    def decode(self, ids):
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")

    def conversation(self, messages):
        if any(not m["content"] for m in messages):
            raise ValueError("nothing is said")
        return "".join(f"[{m['role']}]{m['content']}" for m in messages) + "[assistant]"

    def added_tokens(self):
        return {"<end>": 256, "<not one>": 257}


def questions():
    chats = [{"name": n, "messages": list(c), "plain": n in corpus.PLAIN} for n, c in corpus.CHATS.items()]
    return {"texts": {"corpus": list(corpus.TEXTS), "chats": chats}}


def unlike(engine, answer="Paris 😀 é"):
    made = worker_texts.made(Bytes(), questions())
    prompts = [{"continuation": Bytes().encode(answer), "answer": answer}]
    return worker_texts.differences(engine, {"texts": made, "prompts": prompts})


def test_a_runtime_that_is_the_reference_is_unlike_it_nowhere():
    found = unlike(Bytes())
    assert found["unlike"] == []
    assert found["looked_at"]["encode"] == len(corpus.TEXTS) >= 40
    assert found["looked_at"]["added token"] == 1
    assert found["looked_at"]["template"] == len(corpus.PLAIN)


@pytest.mark.parametrize(
    ("method", "function", "kinds"),
    [
        ("encode", lambda self, text: list(text.lower().encode()), {"encode", "text", "added token"}),
        ("decode", lambda self, ids: bytes(ids).decode("latin-1"), {"decode", "ids", "text", "answer", "stream"}),
        ("decode", lambda self, ids: "", {"decode", "ids", "text", "answer", "stream"}),
        ("conversation", lambda self, chat: chat[-1]["content"], {"template", "unusual template"}),
    ],
)
def test_each_part_that_is_another_one_is_found(method, function, kinds):
    engine = type("Other", (Bytes,), {method: function})()
    assert {entry["what"] for entry in unlike(engine)["unlike"]} == kinds


def test_the_shortest_examples_are_kept():
    engine = type("Other", (Bytes,), {"encode": lambda self, text: []})()
    kept = [entry["given"] for entry in unlike(engine)["unlike"] if entry["what"] == "encode"]
    assert kept == sorted(corpus.TEXTS, key=len)[: worker_texts.MOST]


def test_an_error_is_kept_instead_of_a_text():
    def refuse(self, chat):
        raise RuntimeError("no method named replace")

    engine = type("Other", (Bytes,), {"conversation": refuse})()
    assert {entry["error"] for entry in unlike(engine)["unlike"]} == {"RuntimeError: no method named replace"}


def test_how_many_marks_stand_for_a_broken_character_is_forgiven_and_what_follows_is_not():
    def doubled(self, ids):
        return Bytes().decode(ids).replace("\ufffd", "\ufffd\ufffd")

    def ends_there(self, ids):
        return Bytes().decode(ids).partition("\ufffd")[0]

    broken = (b"a" + EMOJI[:2] + b" b").decode("utf-8", "replace")
    ids = [*b"a", *EMOJI[:2], *b" b"]
    for function, kinds in ((doubled, set()), (ends_there, {"answer", "stream"})):
        engine = type("Other", (Bytes,), {"decode": function})()
        made = {**worker_texts.made(Bytes(), questions()), "corpus": []}
        found = worker_texts.differences(engine, {"texts": made, "prompts": [{"continuation": ids, "answer": broken}]})
        assert {entry["what"] for entry in found["unlike"]} == kinds


def test_the_space_before_an_answer_is_no_fault_and_one_inside_is():
    spaced = type("Spaced", (Bytes,), {"decode": lambda self, ids: " " + Bytes().decode(ids)})()
    assert {entry["what"] for entry in unlike(spaced)["unlike"]} == {"decode"}
    lost = type("Lost", (Bytes,), {"decode": lambda self, ids: Bytes().decode(ids).replace(" ", "")})()
    assert {"answer", "stream"} <= {entry["what"] for entry in unlike(lost)["unlike"]}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda text: unicodedata.normalize("NFC", text), {"encode"}),
        (lambda text: unicodedata.normalize("NFKC", text), {"encode", "text"}),
        (lambda text: " ".join(text.split()), {"encode", "text"}),
        (lambda text: text[:40], {"encode", "text"}),
        (lambda text: text.encode("ascii", "ignore").decode(), {"encode", "text"}),
    ],
    ids=["accents put together", "letters made alike", "spaces", "cut", "one script"],
)
def test_a_tokenizer_that_changes_a_text_is_at_fault_and_one_that_cuts_it_otherwise_is_not(change, kinds):
    engine = type("Other", (Bytes,), {"encode": lambda self, text: Bytes().encode(change(text))})()
    assert {entry["what"] for entry in unlike(engine)["unlike"]} == kinds


def test_a_vocabulary_with_two_letters_exchanged_is_found_although_it_gives_back_what_it_took():
    exchanged = str.maketrans("ae", "ea")

    class Exchanged(Bytes):
        def encode(self, text):
            return super().encode(text.translate(exchanged))

        def decode(self, ids):
            return super().decode(ids).translate(exchanged)

    assert {"ids", "encode"} <= {entry["what"] for entry in unlike(Exchanged(), answer="😀")["unlike"]}


@pytest.mark.parametrize("text", ["", "Paris", "😀", "a 😀 é 日本", "\n\n"])
def test_a_stream_shows_the_whole_text(text):
    assert streamed(Bytes().decode, Bytes().encode(text)) == text


def test_genais_text_goes_on_after_a_broken_character():
    class Runtime:
        """Ends at the first bytes that are no character, as GenAI 0.18 does."""

        def decode(self, ids):
            text = Bytes().decode(list(ids))
            return text[: text.index("\ufffd") + 1] if "\ufffd" in text else text

    engine = OrtGenaiEngine.__new__(OrtGenaiEngine)
    engine.tokenizer = Runtime()
    for text in (b"hi there", b"a" + EMOJI[:2] + b" b", EMOJI[2:] + b"x" + EMOJI + EMOJI[:1], b"", EMOJI[:3]):
        assert worker_texts._whole(engine.decode(list(text))) == worker_texts._whole(Bytes().decode(list(text)))
