"""The facts about a machine, as structures that JSON can hold: what `invoke doctor --json` prints under "facts"."""

from __future__ import annotations

from msgspec import Struct


class _Fact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of all facts: immutable, keywords only."""


class Cpu(_Fact, frozen=True, kw_only=True):
    """The processor; `features` are those instruction sets that matter here, None where they cannot be asked."""

    model: str
    usable: int
    features: tuple[str, ...] | None


class Memory(_Fact, frozen=True, kw_only=True):
    """Memory in bytes."""

    total: int
    available: int


class Tool(_Fact, frozen=True, kw_only=True):
    """A program that was found; `version` is "" when it did not tell."""

    name: str
    path: str
    version: str


class Interpreter(_Fact, frozen=True, kw_only=True):
    """A Python; whether it has pip, can make virtual environments and has its C headers (None: not looked at)."""

    path: str
    version: str
    pip: bool | None = None
    venv: bool | None = None
    headers: bool | None = None


class Package(_Fact, frozen=True, kw_only=True):
    """An installed distribution, by its normalized name."""

    name: str
    version: str


class Device(_Fact, frozen=True, kw_only=True):
    """A device node of Linux: `kind` is "npu" or "gpu", `driver` the kernel's, the ids PCI's (0 if none)."""

    kind: str
    node: str
    driver: str
    vendor_id: int
    device_id: int
    usable: bool
    """Whether this user may open the node."""


class Adapter(_Fact, frozen=True, kw_only=True):
    """A DirectX adapter; memory in bytes."""

    name: str
    vendor: str
    vendor_id: int
    device_id: int
    dedicated_memory: int
    shared_memory: int
    software: bool
    remote: bool
    feature_level: str = ""
    """The highest that Direct3D 12 offers on it: "12_1"; "" if none."""
    driver: str = ""


class Driver(_Fact, frozen=True, kw_only=True):
    """An installed Windows driver: what for (`kind`: "gpu" or "npu"; PCI's ids), which version, of which day."""

    kind: str
    name: str
    vendor_id: int
    device_id: int
    version: str
    date: str
    """As 2026-01-31, "" where the registry does not say."""


class Library(_Fact, frozen=True, kw_only=True):
    """A DLL that is there, by its path and the version in its resources."""

    path: str
    version: str


class VisualStudio(_Fact, frozen=True, kw_only=True):
    """An installed Visual Studio (or its Build Tools); `compilers` are the architectures its cl.exe builds for."""

    name: str
    version: str
    path: str
    compilers: tuple[str, ...]


class Sdk(_Fact, frozen=True, kw_only=True):
    """A Windows SDK; whether its headers declare DXCoreHardwareIDParts, which newer ONNX Runtime sources need."""

    version: str
    hardware_id_parts: bool


class Windows(_Fact, frozen=True, kw_only=True):
    """What only Windows has. `long_paths` is None where the registry does not say."""

    visual_studios: tuple[VisualStudio, ...]
    sdks: tuple[Sdk, ...]
    adapters: tuple[Adapter, ...]
    adapters_problem: str = ""
    long_paths: bool | None = None
    system_onnxruntime: str = ""
    """Version of an onnxruntime.dll in System32 ("" if there is none): it gets loaded instead of a wheel's."""
    build: int = 0
    """Of Windows: 26100 is Windows 11 24H2; 0 where it was not asked."""
    drivers: tuple[Driver, ...] = ()
    directml: tuple[Library, ...] = ()
    """Every DirectML.dll that this Python could load; the first is the one it does."""
    vc_runtime: dict[str, str] = {}
    """Of the C++ runtime's DLLs, each with its version, "" for one that is missing."""


class Readiness(_Fact, frozen=True, kw_only=True):
    """Whether one of our environments, or the Wine runtime, can be used or made; why not, and the remedy."""

    ready: bool
    makeable: bool
    reason: str = ""
    remedy: str = ""


class WebGpu(_Fact, frozen=True, kw_only=True):
    """What WebGPU would compute on here; "" and the problem where on nothing. `remedy`: what would change that."""

    adapter: str = ""
    software: bool = False
    problem: str = ""
    remedy: str = ""


class Facts(_Fact, frozen=True, kw_only=True):
    """Everything about a machine; `system` as in sys.platform, `disk` in free bytes per place."""

    system: str
    name: str
    machine: str
    cpu: Cpu
    memory: Memory
    disk: dict[str, int]
    root: bool
    tools: dict[str, Tool]
    this_python: Interpreter
    pythons: tuple[Interpreter, ...]
    onnxruntimes: tuple[Package, ...]
    places: dict[str, str] = {}
    """Where what `disk` speaks of lies."""
    devices: tuple[Device, ...] = ()
    libraries: dict[str, bool] = {}
    windows: Windows | None = None
    environments: dict[str, Readiness] = {}
    wine: Readiness | None = None
    webgpu: WebGpu | None = None
    openvino: dict[str, str] | None = None
    """OpenVINO's devices and their full names, asked in our environment once that exists."""
