"""Facts that Linux keeps in /proc, /sys and /dev. Every function takes the root of the file system, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wheelhouse.machine.facts import Device

LIBRARIES = ("libOpenCL.so.1", "libze_loader.so.1", "libze_intel_npu.so.1", "libvulkan.so.1")
"""Libraries that OpenVINO's GPU and NPU plugins load, and Vulkan's."""
_LIBRARY_FOLDERS = ("lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "opt/intel/oneapi/lib")
_UNLIMITED = 1 << 60


def cpu(root: Path = Path("/")) -> tuple[str, frozenset[str] | None]:
    """Return the processor's model and its flags (None when /proc/cpuinfo does not say)."""
    fields: dict[str, str] = {}
    for line in _read(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags") or fields.get("Features")
    return fields.get("model name", ""), None if flags is None else frozenset(flags.split())


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the memory that this container may use in bytes (cgroup 2, then 1), or None when there is no limit."""
    for name in ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(root / name).strip()
        if text.isdecimal() and int(text) < _UNLIMITED:
            return int(text)
    return None


def devices(root: Path = Path("/")) -> tuple[Device, ...]:
    """Return the NPUs (kernel subsystem "accel") and GPUs (render nodes of "drm") that drivers have claimed."""
    nodes = [("npu", n, root / "dev/accel") for n in sorted((root / "sys/class/accel").glob("accel[0-9]*"))]
    nodes += [("gpu", n, root / "dev/dri") for n in sorted((root / "sys/class/drm").glob("renderD[0-9]*"))]
    return tuple(_device(kind, node, folder / node.name) for kind, node, folder in nodes)


def _device(kind: str, node: Path, special: Path) -> Device:
    driver = node / "device" / "driver"
    return Device(
        kind=kind,
        node=str(special),
        driver=driver.resolve().name if driver.exists() else "",
        vendor_id=_hexadecimal(node / "device" / "vendor"),
        device_id=_hexadecimal(node / "device" / "device"),
        usable=os.access(special, os.R_OK | os.W_OK),
    )


def libraries(root: Path = Path("/")) -> dict[str, bool]:
    """Return which of LIBRARIES lie where the loader looks; none is loaded."""
    folders = list(_library_folders(root))
    return {name: any((folder / name).exists() for folder in folders) for name in LIBRARIES}


def _library_folders(root: Path) -> Iterator[Path]:
    for name in _LIBRARY_FOLDERS:
        yield root / name
        yield from (root / name).glob("*-linux-gnu*")


def _hexadecimal(path: Path) -> int:
    try:
        return int(_read(path).strip(), 16)
    except ValueError:
        return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
