"""The Vulkan devices that this process sees, with what WebGPU asks of them, by the loader's own functions."""

from __future__ import annotations

import ctypes
from typing import Any

KINDS = ("other", "integrated GPU", "discrete GPU", "virtual GPU", "CPU")
SOFTWARE = "CPU"
"""The kind of a device that is a program: its operators are the real ones, its driver and its speed are not."""

_VULKAN_1_2 = (1 << 22) | (2 << 12)
_LIMITS = 504
_UNKNOWN = 38
"""Limits between the sizes of buffers and those of compute shaders that are of no interest here."""


class _Application(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("name", ctypes.c_char_p), ("version", ctypes.c_uint32),
        ("engine", ctypes.c_char_p), ("engine_version", ctypes.c_uint32), ("api", ctypes.c_uint32),
    )  # fmt: skip


class _InstanceInfo(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("flags", ctypes.c_uint32),
        ("application", ctypes.POINTER(_Application)), ("layers", ctypes.c_uint32), ("layer_names", ctypes.c_void_p),
        ("extensions", ctypes.c_uint32), ("extension_names", ctypes.c_void_p),
    )  # fmt: skip


class _Limits(ctypes.Structure):
    """The beginning of VkPhysicalDeviceLimits."""

    _fields_ = (
        ("images", ctypes.c_uint32 * 6),
        ("uniform_buffer", ctypes.c_uint32),
        ("storage_buffer", ctypes.c_uint32),
        ("allocations", ctypes.c_uint32 * 3),
        ("granularity", ctypes.c_uint64 * 2),
        ("others", ctypes.c_uint32 * _UNKNOWN),
        ("shared_memory", ctypes.c_uint32),
        ("group_count", ctypes.c_uint32 * 3),
        ("invocations", ctypes.c_uint32),
        ("group_size", ctypes.c_uint32 * 3),
    )


class _Properties(ctypes.Structure):
    """VkPhysicalDeviceProperties2; `rest` is what follows the limits that are read."""

    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("api", ctypes.c_uint32), ("driver", ctypes.c_uint32),
        ("vendor", ctypes.c_uint32), ("device", ctypes.c_uint32), ("type", ctypes.c_int32),
        ("name", ctypes.c_char * 256), ("cache", ctypes.c_uint8 * 16), ("limits", _Limits),
        ("rest", ctypes.c_uint8 * (_LIMITS - ctypes.sizeof(_Limits) + 24)),
    )  # fmt: skip


class _Driver(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("id", ctypes.c_int32), ("name", ctypes.c_char * 256),
        ("info", ctypes.c_char * 256), ("conformance", ctypes.c_uint8 * 4),
    )  # fmt: skip


class _Subgroups(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("size", ctypes.c_uint32), ("stages", ctypes.c_uint32),
        ("operations", ctypes.c_uint32), ("quads", ctypes.c_uint32),
    )  # fmt: skip


class _Memory(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("descriptors", ctypes.c_uint32),
        ("allocation", ctypes.c_uint64),
    )  # fmt: skip


class _Features(ctypes.Structure):
    """VkPhysicalDeviceFeatures2."""

    _fields_ = (("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("all", ctypes.c_uint32 * 55))


class _Float16(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("float16", ctypes.c_uint32), ("int8", ctypes.c_uint32),
    )  # fmt: skip


class _Storage16(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32), ("next", ctypes.c_void_p), ("storage", ctypes.c_uint32),
        ("uniform", ctypes.c_uint32), ("push", ctypes.c_uint32), ("io", ctypes.c_uint32),
    )  # fmt: skip


def devices(loader: str) -> list[dict[str, Any]]:
    """Return the Vulkan devices by the loader library `loader`: name, kind, driver, limits, features.

    Return [] where there is no loader, no driver, or a device cannot be asked.
    """
    try:
        vulkan = ctypes.CDLL(loader)
    except OSError:
        return []
    application = _Application(api=_VULKAN_1_2)
    wanted = _InstanceInfo(kind=1, application=ctypes.pointer(application))
    instance = ctypes.c_void_p()
    if vulkan.vkCreateInstance(ctypes.byref(wanted), None, ctypes.byref(instance)) != 0:
        return []
    try:
        count = ctypes.c_uint32()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        handles = (ctypes.c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
        return [_described(vulkan, ctypes.c_void_p(handle)) for handle in handles[: count.value]]
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _described(vulkan: Any, handle: ctypes.c_void_p) -> dict[str, Any]:
    memory = _Memory(kind=1000168000)
    subgroups = _Subgroups(kind=1000094000, next=ctypes.addressof(memory))
    driver = _Driver(kind=1000196000, next=ctypes.addressof(subgroups))
    found = _Properties(kind=1000059001, next=ctypes.addressof(driver))
    vulkan.vkGetPhysicalDeviceProperties2(handle, ctypes.byref(found))
    storage = _Storage16(kind=1000083000)
    half = _Float16(kind=1000082000, next=ctypes.addressof(storage))
    features = _Features(kind=1000059000, next=ctypes.addressof(half))
    vulkan.vkGetPhysicalDeviceFeatures2(handle, ctypes.byref(features))
    return {
        "name": found.name.decode(errors="replace"),
        "kind": KINDS[found.type] if 0 <= found.type < len(KINDS) else "other",
        "vendor": f"0x{found.vendor:04x}",
        "device": f"0x{found.device:04x}",
        "vulkan": f"{found.api >> 22 & 0x7F}.{found.api >> 12 & 0x3FF}.{found.api & 0xFFF}",
        "driver": " ".join([driver.name.decode(errors="replace"), driver.info.decode(errors="replace")]).strip(),
        "f16": bool(half.float16 and storage.storage and storage.uniform),
        "subgroup size": subgroups.size,
        "largest storage buffer": found.limits.storage_buffer,
        "largest allocation": memory.allocation,
        "shared memory": found.limits.shared_memory,
        "invocations per workgroup": found.limits.invocations,
    }
