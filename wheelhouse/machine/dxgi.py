"""The DirectX adapters of a Windows machine, asked of DXGI through ctypes.

Standard library only, and a program too (`python dxgi.py` prints JSON): it runs in any Windows Python, Wine's included.
COM calls go through the interfaces' tables of functions, so that tests can put tables of their own in their place.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from ctypes import POINTER, byref, c_int32, c_size_t, c_uint16, c_uint32, c_void_p
from dataclasses import asdict, dataclass
from typing import Any, cast

IID_IDXGI_FACTORY1 = (0x770AAE78, 0xF26F, 0x4DBA, bytes.fromhex("A829253C83D1B387"))
NOT_FOUND = 0x887A0002
"""DXGI_ERROR_NOT_FOUND: there is no adapter with that number."""
NO_DISPLAY = 0x887A0004
"""DXGI_ERROR_UNSUPPORTED: seen where there is no display at all, as in Wine without an X server."""

# Places in the tables of functions, counted over the inherited interfaces (IUnknown 0-2, IDXGIObject 3-6):
RELEASE = 2
ENUM_ADAPTERS1 = 12  # IDXGIFactory1, after the five of IDXGIFactory
GET_DESC1 = 10  # IDXGIAdapter1, after the three of IDXGIAdapter

_FLAG_REMOTE, _FLAG_SOFTWARE = 1, 2
VENDORS = {0x1002: "AMD", 0x10DE: "NVIDIA", 0x8086: "Intel", 0x5143: "Qualcomm", 0x4D4F4351: "Qualcomm",
           0x1414: "Microsoft", 0x10005: "Mesa"}  # fmt: skip

prototype: Callable[..., type[ctypes._FuncPointer]] = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)


class Guid(ctypes.Structure):
    """GUID."""

    _fields_ = (("a", c_uint32), ("b", c_uint16), ("c", c_uint16), ("d", ctypes.c_uint8 * 8))


class AdapterDesc1(ctypes.Structure):
    """DXGI_ADAPTER_DESC1; the text is UTF-16, whatever `wchar_t` is on this system."""

    _fields_ = (
        ("description", c_uint16 * 128),
        ("vendor_id", c_uint32),
        ("device_id", c_uint32),
        ("sub_sys_id", c_uint32),
        ("revision", c_uint32),
        ("dedicated_video_memory", c_size_t),
        ("dedicated_system_memory", c_size_t),
        ("shared_system_memory", c_size_t),
        ("luid_low", c_uint32),
        ("luid_high", c_int32),
        ("flags", c_uint32),
    )


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One adapter, in DXGI's order, which is the order of DirectML's `device_id`; memory in bytes."""

    name: str
    vendor: str
    vendor_id: int
    device_id: int
    dedicated_memory: int
    shared_memory: int
    software: bool
    remote: bool


class DxgiError(Exception):
    """DXGI could not be asked; the message says which call failed, and how."""


CreateFactory = Callable[..., int]
"""CreateDXGIFactory1(riid, out pointer) -> HRESULT."""


def list_adapters(create_factory: CreateFactory | None = None) -> list[Adapter]:
    """Return all adapters, software ones included. Raise DxgiError when DXGI cannot be asked."""
    create = create_factory or _system_factory()
    factory = c_void_p()
    iid = Guid(*IID_IDXGI_FACTORY1[:3], (ctypes.c_uint8 * 8)(*IID_IDXGI_FACTORY1[3]))
    _check(create(byref(iid), byref(factory)), "CreateDXGIFactory1")
    try:
        found: list[Adapter] = []
        while (adapter := _enumerate(factory, len(found))) is not None:
            try:
                found.append(_describe(adapter))
            finally:
                _release(adapter)
        return found
    finally:
        _release(factory)


def _system_factory() -> CreateFactory:
    library: Callable[[str], Any] | None = getattr(ctypes, "WinDLL", None)  # exists on Windows alone
    if library is None:
        raise DxgiError(f"{sys.platform} has no DXGI")
    try:
        function = library("dxgi.dll").CreateDXGIFactory1
    except (OSError, AttributeError) as error:
        raise DxgiError(f"dxgi.dll cannot be used: {error}") from error
    function.restype = c_int32
    function.argtypes = (POINTER(Guid), POINTER(c_void_p))
    return cast("CreateFactory", function)


def _method(this: c_void_p, place: int, *arguments: type) -> Callable[..., int]:
    """Return the method of a COM object at this place in its table of functions."""
    table = ctypes.cast(this, POINTER(POINTER(c_void_p)))[0]
    address = table[place]
    return prototype(c_int32, c_void_p, *arguments)(address)


def _enumerate(factory: c_void_p, number: int) -> c_void_p | None:
    adapter = c_void_p()
    call = _method(factory, ENUM_ADAPTERS1, c_uint32, POINTER(c_void_p))
    result = call(factory, number, byref(adapter))
    if result & 0xFFFFFFFF == NOT_FOUND:
        return None
    _check(result, f"EnumAdapters1({number})")
    return adapter


def _describe(adapter: c_void_p) -> Adapter:
    desc = AdapterDesc1()
    _check(_method(adapter, GET_DESC1, POINTER(AdapterDesc1))(adapter, byref(desc)), "GetDesc1")
    name = bytes(desc.description).decode("utf-16-le", errors="replace").split("\0")[0]
    return Adapter(
        name=name,
        vendor=VENDORS.get(desc.vendor_id, f"0x{desc.vendor_id:04X}"),
        vendor_id=desc.vendor_id,
        device_id=desc.device_id,
        dedicated_memory=desc.dedicated_video_memory,
        shared_memory=desc.shared_system_memory,
        software=bool(desc.flags & _FLAG_SOFTWARE),
        remote=bool(desc.flags & _FLAG_REMOTE),
    )


def _release(this: c_void_p) -> None:
    _method(this, RELEASE)(this)


def _check(result: int, call: str) -> None:
    if result < 0:
        code = result & 0xFFFFFFFF
        hint = " (no display)" if code == NO_DISPLAY else ""
        raise DxgiError(f"{call} failed with 0x{code:08X}{hint}")


if __name__ == "__main__":
    try:
        print(json.dumps([asdict(adapter) for adapter in list_adapters()]))
    except DxgiError as error:
        sys.exit(str(error))
