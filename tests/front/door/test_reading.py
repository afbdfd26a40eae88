"""Every word that is typed is understood, or nothing starts."""

import pytest


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ("nothing", [("nothing", {})]),
        ("words a b", [("words", {"first": "a", "second": "b", "text": ""})]),
        ("words nothing values --text -", [("words", {"first": "nothing", "second": "values", "text": "-"})]),
        ("words --text=--help -- --help -h", [("words", {"first": "--help", "second": "-h", "text": "--help"})]),
        ("files a,b c* --many=x,y -n z", [("files", {"file": ["a,b", "c*"], "many": ["x", "y", "z"], "plan": False})]),
        ("files --file a b -- --plan", [("files", {"file": ["a", "b", "--plan"], "many": [], "plan": False})]),
        ("--dry files", [("files", {"file": [], "many": [], "plan": True})]),
        ("files --dry", [("files", {"file": [], "many": [], "plan": True})]),
        ("nothing files", [("nothing", {}), ("files", {"file": [], "many": [], "plan": False})]),
    ],
)
def test_what_is_understood(typed, small, words, called):
    found = typed(*words.split(), namespace=small)
    assert (found.code, found.err) == (0, "")
    assert found.called == called


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("--count 7 --share=.25", {"count": 7, "share": 0.25}),
        ("--colour GREEN --on --no-off", {"colour": "Green", "on": True, "off": False}),
        ("-na -n=b", {"many": ["a", "b"]}),
        ("--backend ORT-CPU:Int4,DML", {"backend": ["ort-cpu:int4", "dml"]}),
        ("--share -1.5", {"share": -1.5}),
        ("", {"count": 5, "share": 0.5, "on": False, "off": True, "many": []}),
    ],
)
def test_values_have_their_kinds(typed, small, words, values):
    found = typed("values", *words.split(), namespace=small)
    assert found.err == ""
    ((_, given),) = found.called
    assert {name: given[name] for name in values} == values


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smok"], "no task 'smok'. `invoke --list`"),
        (["valeus"], "no task 'valeus'. Did you mean 'values'?"),
        (["values", "--cuont", "3"], "`invoke values` has no option --cuont. Did you mean '--count'?"),
        (["values", "-z"], "`invoke values` has no option -z. `invoke values --help` says"),
        (["--bogus"], "`invoke` has no option --bogus"),
        (["values", "--count"], "A value is required for --count"),
        (["values", "--count="], "A value is required for --count"),
        (["values", "--count", ""], "A value is required for --count"),
        (["values", "--text", "   "], "A value is required for --text"),
        (["values", "--many", "--on"], "A value is required for --many"),
        (["values", "-n"], "A value is required for -n"),
        (["values", "--count", "x"], "Invalid value 'x' for --count: it takes a whole number"),
        (["values", "--count", "1.5"], "it takes a whole number"),
        (["values", "--count", "1_0"], "it takes a whole number"),
        (["values", "--count", "0"], "Invalid value '0' for --count: it must be at least 1"),
        (["values", "--share", "nan"], "Invalid value 'nan' for --share: it takes a number"),
        (["values", "--share", "inf"], "it takes a number"),
        (["values", "--colour", "gren"], "it takes red, Green. Did you mean 'Green'?"),
        (["values", "--on=yes"], "--on takes no value, and 'yes' was given"),
        (["values", "--text", "a", "--text", "b"], "--text was given twice: 'a' and 'b'"),
        (["values", "--on", "--on"], "--on was given twice"),
        (["words"], "`invoke words` needs FIRST and SECOND"),
        (["words", "a"], "`invoke words` needs SECOND"),
        (["words", "", "b"], "A value is required for FIRST"),
        (["words", "What", "is", "DirectML"], "Put quotation marks around all of it: invoke words 'What DirectML …'"),
        (["nothing", "text"], "nothing does not know what to do with 'text'"),
        (["values", "text"], "values does not know what to do with 'text'. Did you mean '--text'?"),
        (["values", "--many", "a", "b"], "repeat --many, or put commas between them"),
        (["nothing", "--dry"], "--dry: nothing cannot say beforehand"),
        (["nothing", "words"], "`invoke words` needs FIRST and SECOND"),
    ],
)
def test_what_is_refused(typed, small, words, message):
    found = typed(*words, namespace=small)
    assert message in found.err
    assert found.err.startswith("error: ")
    assert found.err.count("\n") == 1
    assert (found.code, found.called, found.out) == (2, [], "")


@pytest.mark.parametrize(
    "words", ["--help values", "values --help", "values -h", "help values", "values --bogus -h", "values --text --help"]
)
def test_help_comes_before_everything(typed, small, words):
    found = typed(*words.split(), namespace=small)
    assert (found.code, found.called, found.err) == (0, [], "")
    assert "Usage: invoke values" in found.out
    assert "--count N" in found.out
    assert "default: 5" in found.out


def test_help_for_what_is_not_there_is_an_error(typed, small):
    assert typed("help", "valeus", namespace=small).code == 2


def test_a_word_that_is_no_utf8_is_refused(typed):
    found = typed("model", "--model", "m\udcff")
    assert (found.code, found.called) == (2, [])
    assert "is not UTF-8. Rename the file" in found.err
