"""Intel NPUs of this machine, as the operating system knows them: no runtime is loaded to ask."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

LINUX_DRIVER = Path("/sys/bus/pci/drivers/intel_vpu")
"""The kernel's NPU driver; the devices that it runs are links in its folder."""
WINDOWS_CLASS = r"SYSTEM\CurrentControlSet\Control\Class\{f01a9d53-3ff6-48d2-9f97-c8a7004be10c}"
"""The registry's key of the device class ComputeAccelerator: a subkey per device, with its driver's name, version."""

PLATFORMS = {"3720": "Meteor Lake", "4000": "Lunar Lake", "5010": "Panther Lake"}
"""NPU architectures by the number that OpenVINO gives them, and the products that have them."""


@dataclass(frozen=True, kw_only=True)
class Npu:
    """One NPU: its name, its driver's version, both as the system says ("" where it does not)."""

    name: str
    driver: str = ""


def devices() -> tuple[Npu, ...]:
    """Return this machine's NPUs that have a driver."""
    return _windows() if sys.platform == "win32" else linux(LINUX_DRIVER)


def linux(driver: Path) -> tuple[Npu, ...]:
    """Return the NPUs that the kernel driver in the folder `driver` runs."""
    version = _text(driver / "module" / "version")
    addresses = sorted(path.name for path in driver.glob("*:*:*.*")) if driver.is_dir() else []
    return tuple(Npu(name=f"Intel NPU at PCI {address}", driver=version) for address in addresses)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _windows() -> tuple[Npu, ...]:
    import importlib

    registry = importlib.import_module("winreg")  # by name: it exists on Windows only
    found = []
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, WINDOWS_CLASS) as family:
            for number in range(registry.QueryInfoKey(family)[0]):
                with registry.OpenKey(family, registry.EnumKey(family, number)) as device:
                    values = {
                        name: str(registry.QueryValueEx(device, name)[0]) for name in ("DriverDesc", "DriverVersion")
                    }
                    found.append(Npu(name=values["DriverDesc"], driver=values["DriverVersion"]))
    except OSError:  # no device of that class, or a subkey that only administrators may read
        pass
    return tuple(found)


def why_not_unasked() -> str:
    """Return why what needs an NPU is not run here unless it is named; "" where there is one."""
    return "" if devices() else "This machine has no NPU with a driver."


def why_not_legacy() -> str:
    """Return why the archived NPU library is not run here unless it is named; "" where there is an NPU."""
    reason = why_not_unasked()
    return f"{reason} The library would compute on the CPU, which says little about an NPU." if reason else ""
