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
CHECK_INTERFACE_SUPPORT = 9  # IDXGIAdapter's third
GET_DESC1 = 10  # IDXGIAdapter1, after the three of IDXGIAdapter

IID_IDXGI_DEVICE = (0x54EC77FA, 0x1377, 0x44E6, bytes.fromhex("8C3288FD5F44C84C"))
IID_ID3D12_DEVICE = (0x189819F1, 0x1DB6, 0x4B57, bytes.fromhex("BE541821339B85F7"))
FEATURE_LEVELS = {"12_2": 0xC200, "12_1": 0xC100, "12_0": 0xC000, "11_1": 0xB100, "11_0": 0xB000}
"""D3D_FEATURE_LEVEL_*, the highest first: DirectML needs 11_0."""

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
    """One adapter, in DXGI's order, which is the order of DirectML's `device_id`; memory in bytes.

    `feature_level` is "" where Direct3D 12 makes no device of it, `driver` where the driver does not tell its version.
    """

    name: str
    vendor: str
    vendor_id: int
    device_id: int
    dedicated_memory: int
    shared_memory: int
    software: bool
    remote: bool
    feature_level: str = ""
    driver: str = ""


class DxgiError(Exception):
    """DXGI could not be asked; the message says which call failed, and how."""


CreateFactory = Callable[..., int]
"""CreateDXGIFactory1(riid, out pointer) -> HRESULT."""
CreateDevice = Callable[..., int]
"""D3D12CreateDevice(adapter, least feature level, riid, null: only ask) -> HRESULT."""


def list_adapters(
    create_factory: CreateFactory | None = None, create_device: CreateDevice | None = None
) -> list[Adapter]:
    """Return all adapters, software ones included. Raise DxgiError when DXGI cannot be asked.

    With the system's own factory the system's Direct3D 12 is asked, too; another one needs a `create_device` for that.
    """
    create = create_factory or _system_factory()
    device = create_device or (None if create_factory else _system_device())
    factory = c_void_p()
    _check(create(byref(_guid(IID_IDXGI_FACTORY1)), byref(factory)), "CreateDXGIFactory1")
    try:
        found: list[Adapter] = []
        while (adapter := _enumerate(factory, len(found))) is not None:
            try:
                found.append(_describe(adapter, device))
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


def _system_device() -> CreateDevice | None:
    """Return Direct3D 12's function, or None where there is no Direct3D 12."""
    library: Callable[[str], Any] | None = getattr(ctypes, "WinDLL", None)
    try:
        function = library("d3d12.dll").D3D12CreateDevice if library else None
    except (OSError, AttributeError):
        return None
    if function is not None:
        function.restype = c_int32
        function.argtypes = (c_void_p, c_uint32, POINTER(Guid), c_void_p)
    return cast("CreateDevice | None", function)


def _guid(parts: tuple[int, int, int, bytes]) -> Guid:
    return Guid(*parts[:3], (ctypes.c_uint8 * 8)(*parts[3]))


def _feature_level(adapter: c_void_p, create: CreateDevice | None) -> str:
    """Return the highest level at which Direct3D 12 would make a device of the adapter; none is made."""
    if create is None:
        return ""
    device = byref(_guid(IID_ID3D12_DEVICE))
    return next((name for name, level in FEATURE_LEVELS.items() if create(adapter, level, device, None) >= 0), "")


def _driver_version(adapter: c_void_p) -> str:
    """Return the version of the driver's part that programs load, as Windows shows it: four numbers of 16 bits."""
    version = ctypes.c_int64()
    ask = _method(adapter, CHECK_INTERFACE_SUPPORT, POINTER(Guid), POINTER(ctypes.c_int64))
    if ask(adapter, byref(_guid(IID_IDXGI_DEVICE)), byref(version)) < 0:
        return ""
    return ".".join(str(version.value >> shift & 0xFFFF) for shift in (48, 32, 16, 0))


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


def _describe(adapter: c_void_p, create_device: CreateDevice | None) -> Adapter:
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
        feature_level=_feature_level(adapter, create_device),
        driver=_driver_version(adapter),
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
