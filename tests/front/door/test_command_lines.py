"""Command lines as people typed them, and what should happen: one for each kind, through the real door."""

from __future__ import annotations

import pytest

READ = [
    ("--dry clean", "clean", {"plan": True}),
    ("audit a.whl b.whl --offline", "audit", {"wheel": ["a.whl", "b.whl"], "offline": True}),
    ("audit --wheel a.whl b.whl", "audit", {"wheel": ["a.whl", "b.whl"]}),
    ("audit --wheel a.whl,b.whl", "audit", {"wheel": ["a.whl,b.whl"]}),  # a file of that name would be meant first
    ("audit --wheel wheels/*cp311*", "audit", {"wheel": ["wheels/*cp311*"]}),
    ("smoke --backend ORT-CPU", "smoke", {"backend": ["ort-cpu"]}),
    ("smoke --timeout=1", "smoke", {"timeout": 1.0}),
    ("generate -", "generate", {"prompt": "-"}),
    ("backends --json", "backends", {"json": True}),
    ("recipes --json", "recipes", {"json": True}),
    ("advise --json", "advise", {"json": True}),
    ("recipe-new mine", "recipe_new", {"name": "mine"}),
]
REFUSED = [
    ("smoke --backend", "A value is required for --backend"),
    ("smoke --backend=", "A value is required for --backend"),
    ("npu-check --platform=", "A value is required for --platform"),
    ("npu-check --platform 9999", "Invalid value '9999' for --platform"),
    ("smoke --timeout x", "Invalid value 'x' for --timeout"),
    ("build-dml --jobs x", "Invalid value 'x' for --jobs"),
    ("smok", "Did you mean 'smoke'?"),
    ("--backends", "`invoke` has no option --backends"),
    ("smoke --modle x", "Did you mean '--model'?"),
    ("smoke --model A --model B", "--model was given twice"),
    ("generate What is DirectML", "Put quotation marks around all of it"),
]


@pytest.mark.parametrize(("line", "name", "given"), READ, ids=[line for line, *_ in READ])
def test_what_is_meant_is_done(typed, line, name, given):
    found = typed(*line.split())
    assert (found.code, found.err) == (0, "")
    ((called, values),) = found.called
    assert called == name
    assert {key: values[key] for key in given} == given


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_cannot_be_meant_is_refused(typed, line, said):
    found = typed(*line.split())
    assert (found.code, found.called, found.out) == (2, [], "")
    assert said in found.err


@pytest.mark.parametrize("line", ["wine-setup -h", "generate --help", "heal -h", "help smoke", "smoke --bogus -h"])
def test_help_starts_nothing(typed, line):
    found = typed(*line.split())
    assert (found.code, found.called, found.err) == (0, [], "")
    assert "Usage: invoke" in found.out
