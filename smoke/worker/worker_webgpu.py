"""The WebGPU provider, a plug-in of ONNX Runtime: registering it, and which adapter it computes on.

The plug-in does not say which adapter it took. What does: Vulkan's loader, which records the device that is really
created in this process; the shaders that the plug-in writes, which begin with the features that it found; and the
driver, asked through the same loader for its name, its version and its limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import worker_engine
import worker_vulkan

PROVIDER = "WebGpuExecutionProvider"
NAME = "WebGPU"
PACKAGE = "onnxruntime-ep-webgpu"
LIBRARIES = ("onnxruntime", "vulkan", "vk_", "d3d12", "dxgi", "dxcompiler", "dxil")
LOADER = "DML_WHEELHOUSE_VULKAN_LOADER"
"""Variable that names the Vulkan loader where the system's own library path has none."""
SYSTEM_LOADER, WINDOWS_LOADER = "libvulkan.so.1", "vulkan-1.dll"
# What is said without an adapter: by the plug-in, by GenAI, and by ONNX Runtime, which then has no device to offer.
NO_ADAPTER = ("Failed to get a WebGPU adapter", "WebGPU execution provider is not supported in this build",
              "Must provide one or more OrtEpDevice instances")  # fmt: skip
LONG = 32
"""From so many new tokens on, attention is computed by a kernel that is wrong in software (docs/webgpu.md)."""
CREATED = "Vulkan's loader created a device with {}"
NO_F16 = "requires f16 but the device does not support it"
DRIVER_REMEDY = (
    "Install the GPU's driver with Vulkan (Direct3D 12 on Windows). Without a GPU, on Debian or Ubuntu: "
    "apt-get install chromium (its SwiftShader is Vulkan in software; with a GPU whose driver fails, too, "
    "DML_WHEELHOUSE_WEBGPU_ADAPTER=software takes it). `invoke doctor` says what is taken."
)
_TAKEN = re.compile(r'Using "(?P<name>[^"]+)" with driver: "(?P<driver>[^"]+)"')
_OF_LOADER = re.compile(r"\[Vulkan Loader\]|(\w+ \| )?(DRIVER|INFO|DEBUG|LAYER):")
_ENABLED = re.compile(r"^enable (?P<features>[\w, ]+);", re.MULTILINE)


class Adapter:
    """Watches, from before the provider is registered, which adapter it takes. `folder` is for scratch files."""

    def __init__(self, folder: Path) -> None:
        self._shaders = folder / "shaders.txt"
        self._heard = folder / "loader.txt"
        self.taken: list[tuple[str, str]] = []
        """Name of each device that was created, and how that is known."""
        self._facts: dict[str, Any] = {}
        os.environ["ORT_WEBGPU_EP_SHADER_DUMP_FILE"] = str(self._shaders)
        os.environ["VK_LOADER_DEBUG"] = "driver"
        self.loader = os.environ.get(LOADER) or SYSTEM_LOADER
        with contextlib.suppress(OSError):  # without one, the plug-in says so itself
            ctypes.CDLL(self.loader)  # under its own name it is then found by everybody in this process

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Read what Vulkan's loader says meanwhile of the devices that are created, then ask their driver."""
        if sys.platform == "win32":  # Dawn takes Direct3D 12 there, in Wine what it is told to
            yield
            known = worker_vulkan.devices(WINDOWS_LOADER) if in_wine() else []
            if len(known) == 1:  # then there is nothing else that it could have taken
                self.taken, self._facts = [(known[0]["name"], "the only device of Wine's Vulkan")], known[0]
            return
        with _overheard(self._heard) as said:
            yield
            self.taken = list(
                dict.fromkeys((match["name"], CREATED.format(match["driver"])) for match in _TAKEN.finditer(said()))
            )
            names = [name for name, _ in self.taken]
            known = worker_vulkan.devices(self.loader) if names else []
            self._facts = next((device for device in known if device["name"] in names), {})

    def features(self) -> list[str]:
        """Return what WebGPU found on the device, by the shaders that the plug-in has written so far."""
        if not self._shaders.is_file():
            return []
        text = self._shaders.read_text(encoding="utf-8", errors="replace")
        listed = ",".join(match["features"] for match in _ENABLED.finditer(text))
        return sorted({feature.strip() for feature in listed.split(",") if feature.strip()})

    def facts(self) -> dict[str, Any]:
        """Return what the driver says of the device that was taken; {} where it cannot be asked."""
        return dict(self._facts)

    def device(self) -> dict[str, str]:
        """Return description and evidence of the adapter, for an engine's `device`."""
        facts, features = self._facts, self.features()
        shaders = f"the plug-in's shaders use {', '.join(features)}" if features else "no shader uses a feature so far"
        if not facts:
            known = sys.platform == "win32" and not in_wine()
            return {"description": _hardware() if known else "", "evidence": shaders}
        software = ", software: operators, not drivers or speed" if facts["kind"] == worker_vulkan.SOFTWARE else ""
        (name, seen), *_ = self.taken
        return {
            "description": f"{name} ({facts['kind']}{software}), Vulkan {facts['vulkan']}, {facts['driver']}, "
            f"{'f16' if facts['f16'] else 'no f16'}, subgroups of {facts['subgroup size']}",
            "evidence": f"{name!r}: {seen}; {shaders}",
        }

    def name(self) -> str:
        """Return the adapter's name for a sentence."""
        return ", ".join(name for name, _ in self.taken) or "this adapter"

    @property
    def at_once(self) -> int:
        """The most tokens that attention computes rightly at a time in software; 0 on a GPU, which is held to all."""
        return LONG - 1 if self.is_software() else 0

    def is_software(self) -> bool:
        """Say whether the device that was taken is a program."""
        return bool(self._facts.get("kind") == worker_vulkan.SOFTWARE)

    def require_f16(self) -> None:
        """Raise UnavailableError where the device that was taken has no f16, as far as its driver tells."""
        if self._facts.get("f16") is False:
            raise no_f16(self.name())


@contextlib.contextmanager
def _overheard(file: Path) -> Iterator[Callable[[], str]]:
    """Collect what this process writes to its standard error meanwhile; afterwards pass on what is not the loader's.

    In a file, not a pipe: while a runtime holds Python's lock, nobody could empty a pipe that is full.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with file.open("wb") as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield lambda: file.read_text(encoding="utf-8", errors="replace")
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            sys.stderr.write("".join(line for line in lines if not _OF_LOADER.match(line)))
    file.unlink()


def in_wine() -> bool:
    """Say whether this Windows is Wine, whose adapters have names of cards that are not there."""
    return sys.platform == "win32" and hasattr(ctypes.CDLL("ntdll"), "wine_get_version")


def _hardware() -> str:
    """Return the devices that ONNX Runtime offers the plug-in, as their driver describes them."""
    import onnxruntime

    with contextlib.suppress(Exception):  # it is registered already
        onnxruntime.register_execution_provider_library(NAME, library())
    found = [device.device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER]
    return ", ".join(str(device.metadata.get("Description", device.vendor)) for device in found)


def library() -> str:
    """Return the path of the plug-in's library. Raise UnavailableError where it is not installed."""
    try:
        plugin = importlib.import_module("onnxruntime_ep_webgpu")
    except ImportError as error:
        raise worker_engine.UnavailableError(
            f"The WebGPU plug-in is not installed here ({error}).", f"pip install {PACKAGE}"
        ) from error
    return str(plugin.get_library_path())


def register(register_library: Callable[[str, str], Any]) -> None:
    """Register the plug-in with a runtime's own function. Raise UnavailableError where the two do not fit."""
    path = library()
    try:
        register_library(NAME, path)
    except Exception as error:
        found = ", ".join(f"{name} {version}" for name, version in
                          worker_engine.versions(PACKAGE, "onnxruntime", "onnxruntime-genai").items())  # fmt: skip
        raise worker_engine.UnavailableError(
            f"ONNX Runtime does not take this WebGPU plug-in ({found}): {' '.join(str(error).split())}",
            f"Install versions that fit together: {PACKAGE} 0.4.0 needs onnxruntime 1.24.4 or newer.",
        ) from error


def no_f16(adapter: str) -> worker_engine.UnavailableError:
    """Return the error for a model in fp16 on an adapter that has none."""
    return worker_engine.UnavailableError(
        f"{adapter} has no f16 (WebGPU's feature shader-f16), which this model computes with.",
        "Run the variants fp32 and int4, which need none; or another GPU, or Mesa's lavapipe, from Mesa 25 on.",
    )


def explained(error: Exception, adapter: Adapter) -> Exception:
    """Return UnavailableError for what this machine lacks; anything else as it is."""
    text = str(error)
    if NO_F16 in text:
        return no_f16(adapter.name())
    if any(words in text for words in NO_ADAPTER):
        reason = " ".join(text.split())[-300:]
        return worker_engine.UnavailableError(f"WebGPU finds no adapter on this machine: {reason}", DRIVER_REMEDY)
    return error
