"""DXGI without DXGI: COM objects of our own, called through their tables of functions as Windows' would be."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from ctypes import POINTER, c_int32, c_int64, c_uint32, c_void_p
from pathlib import Path
from typing import Any

import pytest

from wheelhouse.machine import dxgi
from wheelhouse.machine.dxgi import AdapterDesc1, DxgiError, Guid, list_adapters
from wheelhouse.machine.host_windows import adapters_or_problem


class ComObject:
    """An object whose methods are Python functions at given places of its table; counts its releases."""

    def __init__(self, methods: dict[int, tuple[Callable[..., int], tuple[Any, ...]]]) -> None:
        self.released = 0
        methods = {dxgi.RELEASE: (self._release, ()), **methods}
        self._keep = [dxgi.prototype(c_int32, c_void_p, *types)(body) for body, types in methods.values()]
        self._table = (c_void_p * 16)()
        for place, function in zip(methods, self._keep, strict=True):
            self._table[place] = ctypes.cast(function, c_void_p).value
        self._object = c_void_p(ctypes.addressof(self._table))
        self.address = ctypes.addressof(self._object)

    def _release(self, _this: int) -> int:
        self.released += 1
        return 0


class FakeDxgi:
    """A factory with adapters; `fail` makes one call fail with an HRESULT."""

    def __init__(self, *names: str, flags: int = 0, fail: dict[str, int] | None = None) -> None:
        self.fail = fail or {}
        self.flags = flags
        self.asked_for: list[bytes] = []
        self.adapters = [self._adapter(name) for name in names]
        enum = (self._enum, (c_uint32, POINTER(c_void_p)))
        self.factory = ComObject({dxgi.ENUM_ADAPTERS1: enum})

    def _adapter(self, name: str) -> ComObject:
        def describe(_this: int, out: Any) -> int:
            if "GetDesc1" in self.fail:
                return self.fail["GetDesc1"]
            encoded = name.encode("utf-16-le")[:256]
            ctypes.memmove(out.contents.description, encoded, len(encoded))
            out.contents.vendor_id, out.contents.device_id = 0x8086, 0x64A0
            out.contents.dedicated_video_memory = 1 << 33
            out.contents.flags = self.flags
            return 0

        def version(_this: int, _iid: Any, out: Any) -> int:
            out[0] = (32 << 48) + (101 << 16) + 6972
            return self.fail.get("CheckInterfaceSupport", 0)

        return ComObject(
            {
                dxgi.GET_DESC1: (describe, (POINTER(AdapterDesc1),)),
                dxgi.CHECK_INTERFACE_SUPPORT: (version, (POINTER(Guid), POINTER(c_int64))),
            }
        )

    def _enum(self, _this: int, number: int, out: Any) -> int:
        if number >= len(self.adapters):
            return self.fail.get("EnumAdapters1", c_int32(dxgi.NOT_FOUND).value)
        out[0] = self.adapters[number].address
        return 0

    def create(self, iid: Any, out: Any) -> int:
        if "CreateDXGIFactory1" in self.fail:
            return self.fail["CreateDXGIFactory1"]
        self.asked_for.append(bytes(ctypes.cast(iid, POINTER(Guid)).contents))
        ctypes.cast(out, POINTER(c_void_p))[0] = self.factory.address
        return 0


def test_adapters_come_in_order_with_what_they_say() -> None:
    fake = FakeDxgi("Intel(R) Arc(TM) 140V", "Zweite Größe \U0001f680")
    first, second = list_adapters(fake.create)
    assert (first.name, second.name) == ("Intel(R) Arc(TM) 140V", "Zweite Größe \U0001f680")
    assert (first.vendor, first.vendor_id, first.device_id) == ("Intel", 0x8086, 0x64A0)
    assert (first.dedicated_memory, first.software, first.remote) == (1 << 33, False, False)


def test_asks_for_the_interface_that_dxgi_h_names() -> None:
    fake = FakeDxgi()
    list_adapters(fake.create)
    assert fake.asked_for == [bytes.fromhex("78ae0a77 6ff2 ba4d a829 253c83d1b387".replace(" ", ""))]


def test_flags_are_told_apart() -> None:
    assert list_adapters(FakeDxgi("WARP", flags=2).create)[0].software
    assert list_adapters(FakeDxgi("RDP", flags=1).create)[0].remote


def test_everything_is_released_once_also_after_a_failure() -> None:
    for fail in ({}, {"GetDesc1": -1}):
        fake = FakeDxgi("A", "B", fail=fail)
        if fail:
            with pytest.raises(DxgiError, match="GetDesc1 failed with 0xFFFFFFFF"):
                list_adapters(fake.create)
        else:
            list_adapters(fake.create)
        assert fake.factory.released == 1
        assert [a.released for a in fake.adapters] == ([1, 0] if fail else [1, 1])


def test_the_highest_feature_level_that_gives_a_device_is_told() -> None:
    asked: list[int] = []

    def create(_adapter: Any, level: int, _iid: Any, out: Any) -> int:
        asked.append(level)
        assert out is None  # only asked: no device is made
        return 1 if level <= 0xC000 else c_int32(0x887A0004).value

    assert list_adapters(FakeDxgi("A").create, create)[0].feature_level == "12_0"
    assert asked == [0xC200, 0xC100, 0xC000]
    assert list_adapters(FakeDxgi("A").create, lambda *_: -1)[0].feature_level == ""


def test_the_version_of_the_driver_is_that_of_windows_settings() -> None:
    assert list_adapters(FakeDxgi("A").create)[0].driver == "32.0.101.6972"
    assert list_adapters(FakeDxgi("A", fail={"CheckInterfaceSupport": -1}).create)[0].driver == ""


def test_a_name_that_fills_its_field_has_no_end_mark() -> None:
    assert list_adapters(FakeDxgi("x" * 200).create)[0].name == "x" * 128


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        ({"CreateDXGIFactory1": c_int32(dxgi.NO_DISPLAY).value}, r"0x887A0004 \(no display\)"),
        ({"EnumAdapters1": c_int32(0x80070005).value}, r"EnumAdapters1\(0\) failed with 0x80070005"),
    ],
)
def test_a_failed_call_is_named_with_its_code(fail: dict[str, int], words: str) -> None:
    with pytest.raises(DxgiError, match=words):
        list_adapters(FakeDxgi(fail=fail).create)


def test_facts_have_the_adapters_or_why_not() -> None:
    adapters, problem = adapters_or_problem(FakeDxgi("A").create)
    assert ([a.name for a in adapters], problem) == (["A"], "")
    adapters, problem = adapters_or_problem(FakeDxgi(fail={"CreateDXGIFactory1": -1}).create)
    assert (adapters, problem) == ((), "CreateDXGIFactory1 failed with 0xFFFFFFFF")


def test_as_a_program_it_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(dxgi.__file__))],
        capture_output=True,
        text=True,
        timeout=60,
        encoding="utf-8",
    )
    if sys.platform == "win32":
        assert isinstance(json.loads(done.stdout), list)
    else:
        assert (done.returncode, done.stderr.strip()) == (1, f"{sys.platform} has no DXGI")


@pytest.mark.wine
def test_real_com_objects_answer_in_wines_python(tmp_path: Path) -> None:
    """Wine's DXGI is not Microsoft's, but its tables of functions and structures are those of dxgi.h."""
    from smoke.wine import environment
    from wheelhouse.process import run

    lines: list[str] = []
    wine = environment.prepare()
    command = wine.command(wine.host_path(Path(dxgi.__file__)), timeout=300)
    run(command, log=tmp_path / "dxgi.log", on_line=lines.append)
    adapters = json.loads(lines[-1])
    assert adapters
    for adapter in adapters:
        assert adapter["name"].isprintable()
        assert 0 < adapter["vendor_id"] < 1 << 32
        assert adapter["dedicated_memory"] > 1 << 20
