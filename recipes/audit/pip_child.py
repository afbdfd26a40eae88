"""A Python that answers one question to pip after the other: to start it for each costs more than the answer.

Takes pip's arguments as a JSON list, a line for each question, on standard input, and answers with a line
`[exit code, standard output, standard error]`. Imports nothing of ours, as a foreign Python may run it.
"""

import contextlib
import io
import json
import sys


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        sys.__stdout__.write(json.dumps(_asked(json.loads(line))) + "\n")  # type: ignore[union-attr] # a pipe
        sys.__stdout__.flush()  # type: ignore[union-attr]


def _asked(arguments: list[str]) -> tuple[int, str, str]:
    """Return how `pip ARGUMENTS` ends, and what it prints: pip looks for the streams anew in every command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            from pip._internal.cli.main import main as pip

            code = pip(arguments)
        except ModuleNotFoundError as missing:
            code = print(missing, file=err) or 1
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 2
        except Exception as error:  # noqa: BLE001 - the next question may be answered
            code = print(f"{type(error).__name__}: {error}", file=err) or 2
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    main()
