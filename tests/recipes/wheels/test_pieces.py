"""A wheel has the same bytes wherever the clock of the machine that packs it stands."""

import time
import zipfile

import pytest

from recipes.bill import sbom_embed
from recipes.wheels.pieces import new, write_wheel

EPOCH = 1_767_225_599  # the last second of 2025, in London


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows takes its time zone when a program starts")
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/Los_Angeles", "XYZ+11", "UTC"])
def test_the_time_zone_is_not_in_it(tmp_path, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        write_wheel(tmp_path / "pieces.whl", {"a": new(b"1")}, EPOCH)
        (tmp_path / "embedded.whl").write_bytes(sbom_embed.pack({"a": b"1"}, {}, EPOCH))
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    for name in ("pieces.whl", "embedded.whl"):
        with zipfile.ZipFile(tmp_path / name) as wheel:
            assert wheel.getinfo("a").date_time == (2025, 12, 31, 23, 59, 58)
