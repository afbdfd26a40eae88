"""`invoke generate`, over real workers with a stand-in for the runtime: what is shown, when, and how it ends."""

import io
import json
import signal
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke import generate
from smoke.backends.registry import WORKER
from smoke.environments.source import Environment
from smoke.generate import Answer, Request
from smoke.parity.dumps import Device
from smoke.running import generation_job
from tests.smoke import fakes
from wheelhouse.errors import InputError, ParityError, StepFailedError, UnsupportedError, UsageError

sys.path.insert(0, str(WORKER))
import converse

ENGINE = """
import ctypes, sys, threading, time
import worker_engine
VERSIONS = LIBRARIES = ()
class Echo(worker_engine.Engine):
    def __init__(self, job): self.options = job["options"]; print("noise of a library")
    def encode(self, text): return list(text.encode())
    def decode(self, ids): return bytes(ids).decode("utf-8", "replace")
    def conversation(self, messages):
        if self.options.get("old template engine"): raise ValueError("no method named replace")
        return " ".join(m["content"] for m in messages)
    def device(self): return {"name": self.options.get("device", "CPU"), "evidence": "the stand-in says so"}
    def generate(self, ids, limit, on_token=None):
        if self.options.get("fails"): raise RuntimeError("no kernel")
        if self.options.get("shows_wish"): ids = list(str(dict(self.wish)).encode())
        def work():
            for token in ids[-limit:]:
                on_token(token)
                if self.options.get("slow"): time.sleep(0.2)
        if self.options.get("native"): return outside_python(work)
        work()
def outside_python(work):
    # As a library in C++ does it: another thread calls back, the main one waits where no signal handler of Python runs.
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    def run():
        try: work()
        except KeyboardInterrupt: pass
        library.pthread_mutex_unlock(mutex)
    library.pthread_mutex_lock(mutex)
    threading.Thread(target=run).start()
    library.pthread_mutex_lock(mutex)
def load(job):
    if job["options"].get("absent"): raise worker_engine.UnavailableError("No such device.", "Buy one.")
    return Echo(job)
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask a stand-in backend; `options` are its."""
    engine = tmp_path / "engine.py"
    engine.write_text(ENGINE, encoding="utf-8")
    monkeypatch.setattr(generate, "resolve", lambda _: fakes.model(tmp_path / "model"))

    def call(prompt="Grüße, 世界", *, device="CPU", limit=256, announced=False, chat=False, doubt="", **options):
        variant = fakes.variant("v", export="", announced=announced, unasked=lambda: doubt)
        backend = fakes.backend("b", variant)
        object.__setattr__(backend, "engine", engine)
        object.__setattr__(variant, "options", options)
        object.__setattr__(variant, "device", device)
        monkeypatch.setattr(generate, "chosen", lambda _: (backend, variant))
        generate.generate(Request(prompt=prompt, backend="b", model="m", max_new_tokens=limit, chat=chat))

    return call


def test_the_answer_is_all_that_standard_output_gets(ask, capfd):
    ask()
    shown = capfd.readouterr()
    assert shown.out == "Grüße, 世界\n"
    assert "15 tokens" in shown.err
    assert "first token after" in shown.err
    assert "device CPU" in shown.err


def test_the_limit_holds(ask, capfd):
    ask("abcdef", limit=1)
    shown = capfd.readouterr()
    assert shown.out == "f\n"
    assert "1 token, too short for a rate" in shown.err


def test_another_device_than_asked_for_is_an_error_unless_announced(ask, capfd):
    with pytest.raises(ParityError, match="was asked for NPU and ran on CPU"):
        ask(device="NPU")
    assert capfd.readouterr().out == "Grüße, 世界\n", "what it said is shown all the same"
    ask(device="NPU", announced=True)
    assert "as its name says" in capfd.readouterr().err


def test_a_device_that_is_probably_absent_is_told_at_once(ask, capfd):
    with pytest.raises(UnsupportedError, match="No such device"):
        ask(absent=True, doubt="There is no NPU.")
    assert capfd.readouterr().err.startswith("warning: There is no NPU.")


def test_what_goes_wrong_has_its_error(ask):
    with pytest.raises(UnsupportedError, match="No such device"):
        ask(absent=True)
    with pytest.raises(StepFailedError, match="no kernel"):
        ask(fails=True)
    with pytest.raises(StepFailedError, match="no method named replace") as caught:
        ask(**{"old template engine": True})
    assert "openvino" in caught.value.remedy


def test_bad_input():
    settings = {"backend": "b", "model": "m", "max_new_tokens": 8}
    with pytest.raises(UsageError, match="no prompt"):
        Request(prompt=" ", **settings)
    with pytest.raises(UsageError, match="max-new-tokens"):
        Request(prompt="x", **(settings | {"max_new_tokens": 0}))
    with pytest.raises(UsageError, match="Did you mean 'ort-cpu'"):
        generate.chosen("ort-cqu")
    assert [part.name for part in generate.chosen("openvino:int4")] == ["openvino", "int4"]
    assert generate.chosen("openvino")[1].name == "fp16"


def _job(tmp_path, **more):
    (tmp_path / "engine.py").write_text(ENGINE, encoding="utf-8")
    job = {"engine": str(tmp_path / "engine.py"), "options": {}, "output": str(tmp_path), "max_new_tokens": 99}
    (tmp_path / "job.json").write_text(json.dumps(job | more), encoding="utf-8")
    return [sys.executable, str(WORKER / "converse.py"), str(tmp_path / "job.json")]


def test_a_chat_remembers_what_was_said(tmp_path):
    argv = _job(tmp_path, turns=["one"], chat=True)
    done = subprocess.run(
        argv, input="two\n\nthree\n", capture_output=True, text=True, check=True, timeout=60, encoding="utf-8"
    )
    assert done.stdout == "one\n> one one two\n> > one one two one one two three\n> \n"
    assert len(json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["answers"]) == 3


def test_lines_reach_a_worker_that_cannot_read_the_terminal(ask, capfd, monkeypatch):
    monkeypatch.setattr(Environment, "reads_terminal", False)
    monkeypatch.setattr(sys, "stdin", io.StringIO("zwei, 二\ndrei\n"))
    ask("eins", chat=True)
    assert capfd.readouterr().out == "eins\n> eins eins zwei, 二\n> eins eins zwei, 二 eins eins zwei, 二 drei\n> \n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another event there")
@pytest.mark.parametrize("native", [False, True])
def test_ctrl_c_ends_the_answer_and_keeps_what_was_said(tmp_path, native):
    options = {"slow": True, "native": native}
    argv = _job(tmp_path, turns=["a long answer to a short question"], chat=False, options=options)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
        assert worker.stdout.read(3) == b"a l"
        worker.send_signal(signal.SIGINT)
        rest = worker.stdout.read()
        assert worker.wait(30) == converse.INTERRUPTED
    assert rest.endswith(b"\n")
    assert b"question" not in rest
    told = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["answers"][0]
    assert told["interrupted"]
    assert ("a l" + rest.decode().rstrip("\n")) == told["text"]


class Worker:
    """Stands in for a worker's process: `events` are what each wait comes to, an exception or an exit code."""

    def __init__(self, *events):
        self.events, self.limits, self.killed = list(events), [], False

    def wait(self, timeout=None):
        self.limits.append(timeout)
        event = self.events.pop(0)
        if isinstance(event, int):
            return event
        raise event

    def kill(self):
        self.killed = True


HUNG = subprocess.TimeoutExpired("worker", generate.GRACE_SECONDS)


def test_ctrl_c_leaves_a_chat_all_the_time_it_wants():
    worker = Worker(KeyboardInterrupt(), KeyboardInterrupt(), 0)
    assert generate._wait(worker, chat=True) == 0
    assert (worker.limits, worker.killed) == ([None, None, None], False)


@pytest.mark.parametrize(
    ("chat", "events"),
    [
        (True, [*[KeyboardInterrupt()] * generate.INSISTENCE, HUNG, -9]),
        (False, [KeyboardInterrupt(), HUNG, -9]),
        (False, [KeyboardInterrupt(), KeyboardInterrupt(), -9]),
    ],
)
def test_insistence_ends_a_worker_that_does_not_listen(chat, events):
    worker = Worker(*events)
    assert generate._wait(worker, chat=chat) == -9
    assert worker.killed
    assert worker.events == []


@given(st.text(st.characters(codec="utf-8")))
def test_text_is_shown_whole_whatever_its_characters(text):
    data = text.encode()
    shown = io.StringIO()
    writer = converse.Writer(lambda ids: bytes(ids).decode("utf-8", "replace"), shown)
    for token in data:
        writer.add(token)
        assert text.startswith(shown.getvalue()) or "\ufffd" in text
    if "\ufffd" not in text:
        assert shown.getvalue() == text


def test_one_line_says_it_all():
    answer = Answer(text="x", tokens=42, prompt_tokens=3, first_s=0.124, tokens_per_s=23.14, interrupted=False)
    device = Device(name="GPU.0", description="Arc")
    assert generate.line(answer, device) == "42 tokens, 23.1 tokens/s, first token after 0.12 s, device GPU.0 (Arc)"


def test_a_dash_takes_the_prompt_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("What is DirectML?\nIn one sentence.\n"))
    request = generate.Request.asked("-", backend="ort-cpu", model="m", max_new_tokens=8, chat=False)
    assert request.prompt == "What is DirectML?\nIn one sentence.\n"


def test_a_chat_does_not_take_all_of_standard_input_for_its_first_prompt():
    with pytest.raises(UsageError, match="further prompts"):
        generate.Request.asked("-", backend="ort-cpu", model="m", max_new_tokens=8, chat=True)


def test_a_chat_ends_where_the_model_takes_no_more(tmp_path):
    argv = _job(tmp_path, turns=["one"], chat=True, most=10)
    done = subprocess.run(
        argv, input="two\nthree\n", capture_output=True, text=True, check=True, timeout=60, encoding="utf-8"
    )
    assert done.stdout == "one\n> "
    answers = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert len(answers["answers"]) == 1
    assert "the model takes 10: begin another one" in answers["notes"][0]


def test_a_model_without_a_template_is_continued_and_has_no_chat(ask, capfd, monkeypatch, tmp_path):
    base = fakes.model(tmp_path / "base")
    object.__setattr__(base, "facts", msgspec.structs.replace(base.facts, template=False, begin="<s>"))
    monkeypatch.setattr(generate, "resolve", lambda _: base)
    ask("once")
    shown = capfd.readouterr()
    assert shown.out == "<s>once\n"
    assert "no chat template: the prompt is continued as plain text" in shown.err
    with pytest.raises(UnsupportedError, match="has no chat template") as caught:
        ask("once", chat=True)
    assert "chat_template.jinja" in caught.value.remedy


def test_a_prompt_beyond_the_context_is_refused_before_anything_runs(ask):
    with pytest.raises(InputError, match="leaves no room for a prompt: stand-in takes 1024"):
        ask("x", limit=1024)


def test_what_a_model_asks_for_is_done_and_said(ask, capfd, monkeypatch, tmp_path):
    asking = fakes.model(tmp_path / "asking")
    asks = {"do_sample": "true", "temperature": "0.6", "top_k": "20", "stop_strings": '["x"]'}
    object.__setattr__(asking, "facts", msgspec.structs.replace(asking.facts, asks=asks))
    monkeypatch.setattr(generate, "resolve", lambda _: asking)
    ask("abc", shows_wish=True)
    shown = capfd.readouterr()
    assert shown.out == "{'do_sample': True, 'temperature': 0.6, 'top_k': 20}\n"
    assert "generation_config.json asks: do_sample True, temperature 0.6, top_k 20" in shown.err
    assert "not done, although its generation_config.json asks for it: stop_strings" in shown.err


def test_without_sampling_only_a_penalty_counts():
    asks = {"temperature": "0.6", "top_p": "0.9", "repetition_penalty": "1.1"}
    assert generation_job.wishes(asks) == ({"repetition_penalty": 1.1}, ())
    assert generation_job.wishes({}) == ({}, ())
