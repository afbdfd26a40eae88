"""WebGPU's environment: which Vulkan device the plug-in is given on Linux, a GPU's or one in software."""

from __future__ import annotations

import ctypes.util
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smoke.environments import directml_pair, pinned
from smoke.environments.source import Environment, Readiness
from wheelhouse.errors import InputError, UnsupportedError
from wheelhouse.files import by_name

ENVIRONMENT = "webgpu"
PACKAGES = ("onnxruntime-ep-webgpu",)
VARIABLE = "DML_WHEELHOUSE_WEBGPU_ADAPTER"
"""What to compute on: one of WAYS, or a Vulkan driver's manifest (JSON). Unset: a GPU, else software."""
WAYS = ("gpu", "software", "swiftshader", "lavapipe")
LOADER = "DML_WHEELHOUSE_VULKAN_LOADER"
"""Read by worker_webgpu: the Vulkan loader where the system has none."""

PUBLISHED = {("linux", "x86_64"), ("win32", "amd64"), ("win32", "arm64")}
"""Where the plug-in's wheels run, as Python names it."""
MANIFESTS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")
NODES = ("/dev/dri/renderD*", "/dev/nvidiactl")
SWIFTSHADER = (
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
)
SOFTWARE, LAVAPIPE = "SwiftShader", "lavapipe"
LEAST_VULKAN = (1, 4)
"""Of lavapipe: Mesa 25.0 has it and computes; the 1.3 of Mesa 22.3 is refused by the plug-in; between is not tried."""
SECONDS_PER_TOKEN = 15.0
"""What software takes at most for a token of SmolLM2-135M, on two cores that many others use, too: for time limits."""
REMEDY = (
    "Install the GPU's Vulkan driver. Without a GPU: apt-get install chromium (Debian; Google Chrome brings the "
    "same), or, with Mesa 25 or newer, apt-get install libvulkan1 mesa-vulkan-drivers."
)
SUBGROUP_MATRICES = "subgroup_matrix"
"""What the evidence names among the features of the plug-in's shaders where it multiplies by them."""
HALF_SUMS = (
    "On GPUs with subgroup matrices the plug-in's float16 products are less exact than float16 has to be: on an NVIDIA "
    "H100 they alone made SmolLM2-135M diverge (docs/webgpu.md). int4 and fp32 do not use them."
)


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What the plug-in is given: in words, and the variables that lead it there."""

    label: str
    variables: Mapping[str, str]
    software: bool = False


def choose(root: Path = Path("/")) -> Adapter:
    """Return what to compute on here, as VARIABLE says. Loads no driver. `root` stands for the file system.

    Raise UnsupportedError when there is no such device or no plug-in, InputError for a manifest that is not there.
    """
    system, machine = sys.platform, platform.machine().lower()
    if (system, machine) not in PUBLISHED:
        reason = f"There is no WebGPU plug-in for {system} on {machine}."
        raise UnsupportedError(reason, remedy="Linux on x86-64 and Windows on x64 and ARM64 have one.")
    if system == "win32":
        return Adapter(label="Direct3D 12", variables={})
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", *WAYS}:
        manifest = Path(wanted)
        if not manifest.is_file():
            remedy = f"Say {', '.join(WAYS)}, or a Vulkan driver's manifest."
            raise InputError(f"{VARIABLE} names {wanted}, which is no file.", remedy=remedy)
        known = {"swiftshader": SOFTWARE, "lvp": LAVAPIPE}
        return _driven_by(manifest, next((known[part] for part in known if part in manifest.name), manifest.stem))
    if wanted in {"", "gpu"} and _has_gpu(root):
        # Where ONNX Runtime sees no GPU in the system's tables, the plug-in could not be asked for without this.
        return Adapter(label="the GPU's Vulkan driver", variables={"ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1"})
    if wanted == "gpu":
        raise UnsupportedError("This machine has no GPU with a Vulkan driver.", remedy=REMEDY)
    for name, find in (("swiftshader", _swiftshader), ("lavapipe", _lavapipe)):
        found = find(root) if wanted in {"", "software", name} else None
        if found is not None:
            return found
    what = wanted if wanted in {"swiftshader", "lavapipe"} else "a Vulkan device"
    raise UnsupportedError(f"WebGPU needs {what}, and this machine has none.", remedy=REMEDY)


def _swiftshader(root: Path) -> Adapter | None:
    found = next((path for path in (root / name.lstrip("/") for name in SWIFTSHADER) if path.is_file()), None)
    return None if found is None else _driven_by(found, SOFTWARE)


def _lavapipe(root: Path) -> Adapter | None:
    """Return Mesa's Vulkan in software, where it is new enough by its manifest."""
    for manifest in _manifests(root):
        if "lvp" not in manifest.name:
            continue
        try:
            told = json.loads(manifest.read_text(encoding="utf-8"))["ICD"]["api_version"]
            version = tuple(int(part) for part in str(told).split(".")[:2])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if version >= LEAST_VULKAN:
            return _driven_by(manifest, LAVAPIPE)
    return None


def _manifests(root: Path) -> list[Path]:
    return [file for folder in MANIFESTS for file in sorted((root / folder.lstrip("/")).glob("*.json"), key=by_name)]


def _has_gpu(root: Path) -> bool:
    vendors = [file for file in _manifests(root) if "lvp" not in file.name]  # Mesa's own software driver
    return bool(vendors) and any(any(root.glob(node.lstrip("/"))) for node in NODES)


def _driven_by(manifest: Path, label: str) -> Adapter:
    beside = manifest.parent / "libvulkan.so.1"
    own_loader = not ctypes.util.find_library("vulkan") and beside.is_file()
    variables = {
        "VK_DRIVER_FILES": str(manifest),
        "VK_ICD_FILENAMES": str(manifest),  # what older loaders read
        "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1",
        **({LOADER: str(beside)} if own_loader else {}),
    }
    return Adapter(label=label, variables=variables, software=label in {SOFTWARE, LAVAPIPE})


def what_would_change(adapter: Adapter) -> str:
    """Return how another device than `adapter` would be taken."""
    if sys.platform != "linux":
        return "Windows' own order of adapters decides (Settings, System, Display, Graphics)."
    if os.environ.get(VARIABLE):
        return f"{VARIABLE} decides it; unset, a GPU comes first, then {SOFTWARE}."
    if adapter.software:
        return (
            f"A GPU is taken once its Vulkan driver has a manifest in {MANIFESTS[0]} and it has a node in /dev/dri; "
            f"{VARIABLE} takes lavapipe, of Mesa 25 or newer, which has f16, or another driver's manifest."
        )
    return f"{VARIABLE}=software takes {SOFTWARE} or lavapipe, {VARIABLE}=FILE another driver's manifest."


def why_not_unasked() -> str:
    """Return why what only WebGPU needs is not run here unless it is named; "" where it can run."""
    status = WebGpuSource().status()
    return "" if status.ready or status.makeable else status.reason


def why_no_graph() -> str:
    """Return why a captured graph is not tried here unless it is named: in software that is minutes for nothing new."""
    reason = why_not_unasked()
    if reason or not choose().software:
        return reason
    return "Capturing the graph saves a GPU's calls; here int4 computes the same in software."


def why_no_f16() -> str:
    """Return why a model in fp16 is not tried here unless it is named; "" where the worker has to find out."""
    reason = why_not_unasked()
    if reason or sys.platform != "linux":
        return reason
    return f"{SOFTWARE} has no f16 (WebGPU's feature shader-f16)." if choose().label == SOFTWARE else ""


@dataclass(frozen=True, kw_only=True)
class WebGpuSource:
    """Where backend `webgpu` comes from: the pinned environment, and on Linux a Vulkan device for it."""

    def status(self) -> Readiness:
        """See Source."""
        try:
            choose()
        except (InputError, UnsupportedError) as error:
            return Readiness(ready=False, makeable=False, reason=error.message, remedy=error.remedy)
        return pinned.status(ENVIRONMENT)

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        adapter = choose()
        made = pinned.prepare(ENVIRONMENT, wheels=wheels)
        return replace(
            made,
            env={**made.env, **adapter.variables},
            label=f"{made.label}, on {adapter.label}",
            seconds_per_token=SECONDS_PER_TOKEN if adapter.software else 0.0,
        )

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in PACKAGES
