"""The JSON schema of report.json, generated from the structures that write it.

`python -m smoke.report.json_schema` writes it anew after a change; a test compares.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from smoke.report.results import Report
from wheelhouse.files import write_atomic
from wheelhouse.strict_toml import schema_of

PATH = Path(__file__).with_name("report.schema.json")


def generate() -> bytes:
    """Return the schema, formatted."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "report.json of dml-wheelhouse",
        **schema_of(Report),
    }
    return msgspec.json.format(msgspec.json.encode(schema)) + b"\n"


if __name__ == "__main__":
    write_atomic(PATH, generate())
