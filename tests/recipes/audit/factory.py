"""Makes wheels that nothing is wrong with, and whatever is asked to be wrong with them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from recipes.bill.sbom import Binary, Materials, Source, sbom_files

from .elf_builder import build_elf
from .machine_code import genai_linux, genai_x64, runtime_linux, runtime_x64
from .pe_builder import build_pe

OGA = ("OgaCreateModel", "OgaCreateTokenizer", "OgaCreateGeneratorParams", "OgaCreateGenerator",
       "OgaGenerator_GenerateNextToken", "OgaDestroyModel")  # fmt: skip
OGA_EXPORTS = {name: number for number, name in enumerate(sorted(OGA), start=1)}
EPOCH = 1_700_000_000
TIME = (2023, 11, 14, 22, 13, 20)
PACKAGE, CAPI = "onnxruntime_genai", "onnxruntime/capi"


@dataclass(frozen=True)
class Spec:
    """A wheel to make. `record` changes RECORD's rows, `archive` the finished bytes."""

    name: str = "demo"
    version: str = "1.0"
    tag: str = "py3-none-any"
    requires: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    own: bool = False
    drop: tuple[str, ...] = ()
    metadata: str = ""
    wheel_tags: tuple[str, ...] = ()
    purelib: bool = False
    python: str = ">=3.11"
    wheel_version: str = "1.0"
    filename: str = ""
    folder: str = ""
    listed: Mapping[str, str] | None = None
    commit: str = ""
    record: Callable[[list[list[str]]], list[list[str]]] = lambda rows: rows
    pack: Callable[[zipfile.ZipFile, str, bytes], bool] = lambda archive, name, data: False
    archive: Callable[[bytes], bytes] = lambda data: data
    order: Callable[[list[str]], list[str]] = lambda names: names
    extra: Mapping[str, bytes] = field(default_factory=dict)

    def but(self, **changes: object) -> Spec:
        return replace(self, **changes)

    def with_file(self, path: str, data: bytes) -> Spec:
        return replace(self, files={**self.files, path: data})

    def without(self, path: str) -> Spec:
        return replace(self, files={p: d for p, d in self.files.items() if p != path})


def make(folder: Path, spec: Spec) -> Path:
    """Write the wheel and return its path."""
    stem = spec.name.replace("-", "_")
    info = spec.folder or f"{stem}-{spec.version}.dist-info"
    contents = dict(spec.files)
    python = f"Requires-Python: {spec.python}\n" if spec.python else ""
    metadata = spec.metadata or f"Metadata-Version: 2.4\nName: {spec.name}\nVersion: {spec.version}\n{python}"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in spec.requires)
    contents[f"{info}/METADATA"] = metadata.encode()
    contents[f"{info}/WHEEL"] = _wheel(spec).encode()
    if spec.own:
        contents |= {f"{info}/{name}": text.encode() for name, text in _sboms(spec).items()}
    contents |= {f"{info}/{name}": data for name, data in spec.extra.items()}
    contents = {name: data for name, data in contents.items() if name.removeprefix(f"{info}/") not in spec.drop}
    names = sorted(contents, key=lambda n: (n.startswith(f"{info}/"), n))
    if "RECORD" not in spec.drop:
        contents[f"{info}/RECORD"] = _record(spec, {n: contents[n] for n in names}, f"{info}/RECORD")
        names.append(f"{info}/RECORD")
    path = folder / (spec.filename or f"{stem}-{spec.version}-{spec.tag}.whl")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(spec.archive(_zip(spec, {n: contents[n] for n in spec.order(names)})))
    return path


def _wheel(spec: Spec) -> str:
    tags = "".join(f"Tag: {tag}\n" for tag in spec.wheel_tags or (spec.tag,))
    return (
        f"Wheel-Version: {spec.wheel_version}\nGenerator: tests\nRoot-Is-Purelib: {str(spec.purelib).lower()}\n{tags}"
    )


def _sboms(spec: Spec) -> dict[str, str]:
    found = {p: hashlib.sha256(d).hexdigest() for p, d in spec.files.items() if d.startswith((b"MZ", b"\x7fELF"))}
    listed = {**found, **(spec.listed or {})}
    binaries = tuple(Binary(path=path, sha256=digest) for path, digest in sorted(listed.items()))
    return sbom_files(
        Materials(
            name=spec.name, version=spec.version, licence="MIT", recipe="dml", recipe_hash="a" * 64,
            binaries=binaries, epoch=EPOCH,
            sources=(Source(name=spec.name, url="https://example.org/x", commit=spec.commit),) if spec.commit else (),
        )
    )  # fmt: skip


def _record(spec: Spec, contents: Mapping[str, bytes], own: str) -> bytes:
    rows = [[name, f"sha256={digest(data)}", str(len(data))] for name, data in contents.items()]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(spec.record([*rows, [own, "", ""]]))
    return out.getvalue().encode()


def digest(data: bytes) -> str:
    """Return RECORD's form of a SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zip(spec: Spec, contents: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            if not spec.pack(archive, name, data):
                archive.writestr(entry(name), data)
    return packed.getvalue()


def entry(name: str, time: tuple[int, ...] = TIME, mode: int = 0o100644) -> zipfile.ZipInfo:
    """Return the description of a member."""
    info = zipfile.ZipInfo(name, time)
    info.filename = name  # zipfile turns the host's separators round
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = mode << 16
    info.create_system = 3
    return info


def genai_dll(**changes: object) -> bytes:
    """Return an onnxruntime-genai.dll that asks for ORT API 23 and Agility SDK 614."""
    code = changes.pop("code", None) or genai_x64(23, 614)
    imports = {"onnxruntime.dll": [1], "d3d12.dll": ["D3D12GetInterface"], "KERNEL32.dll": ["Sleep"]}
    return build_pe(imports=changes.pop("imports", imports), exports=changes.pop("exports", OGA_EXPORTS), code=code,
                    **changes)  # fmt: skip


def core_dll(version: int = 614, **changes: object) -> bytes:
    """Return a D3D12Core.dll of an Agility SDK version."""
    constant = version.to_bytes(4, "little").ljust(64, b"\0")
    exports = {"D3D12GetInterface": 1, "D3D12SDKVersion": 2}
    return build_pe(exports=exports, constants=constant, exported_constants=("D3D12SDKVersion",), **changes)


def runtime_dll(api: int = 24, **changes: object) -> bytes:
    """Return an onnxruntime.dll that offers an API version."""
    exports = changes.pop("exports", {"OrtGetApiBase": 1, "OrtSessionOptionsAppendExecutionProvider_CPU": 2})
    return build_pe(exports=exports, code=runtime_x64(api), delayed={"DirectML.dll": [1]}, **changes)


def extension(python: str = "312", module: str = "onnxruntime_genai", **changes: object) -> bytes:
    """Return an extension module for a Python on Windows."""
    imports = {f"python{python}.dll": ["PyList_New"], **changes.pop("imports", {})}
    return build_pe(imports=imports, exports={f"PyInit_{module}": 1}, **changes)


TEXTS = {"LICENSE": b"MIT License\n", "ThirdPartyNotices.txt": b"Notices\n"}

PLAIN = Spec(files={"demo/__init__.py": b"x = 1\n", "demo/LICENSE": b"MIT License\n"}, purelib=True)

GENAI = Spec(
    name="onnxruntime-genai-directml",
    version="0.15.2+dmlwheelhouse.1",
    tag="cp312-cp312-win_amd64",
    requires=("onnxruntime-directml==1.24.4",),
    own=True,
    files={
        f"{PACKAGE}/__init__.py": b"",
        f"{PACKAGE}/onnxruntime-genai.dll": genai_dll(),
        f"{PACKAGE}/D3D12Core.dll": core_dll(),
        f"{PACKAGE}/onnxruntime_genai.cp312-win_amd64.pyd": extension(
            imports={"onnxruntime-genai.dll": ["OgaCreateModel"]}
        ),
        **{f"{PACKAGE}/{name}": text for name, text in TEXTS.items()},
    },
)

RUNTIME = Spec(
    name="onnxruntime-directml",
    version="1.24.4",
    tag="cp312-cp312-win_amd64",
    files={
        f"{CAPI}/onnxruntime.dll": runtime_dll(),
        f"{CAPI}/DirectML.dll": build_pe(exports={"DMLCreateDevice": 1}),
        **{f"onnxruntime/{name}": text for name, text in TEXTS.items()},
    },
)

LINUX = Spec(
    name="onnxruntime-genai",
    version="0.18.0",
    tag="cp312-cp312-manylinux_2_28_x86_64",
    requires=("onnxruntime>=1.31.0",),
    files={
        f"{PACKAGE}/libonnxruntime-genai.so": build_elf(
            exports=OGA, soname="libonnxruntime-genai.so", code=genai_linux(), versions={"libc.so.6": ["GLIBC_2.28"]}
        ),
        f"{PACKAGE}/onnxruntime_genai.cpython-312-x86_64-linux-gnu.so": build_elf(
            needed=("libonnxruntime-genai.so", "libc.so.6"), exports=("PyInit_onnxruntime_genai",), runpath="$ORIGIN"
        ),
        **{f"{PACKAGE}/{name}": text for name, text in TEXTS.items()},
    },
)

LINUX_RUNTIME = Spec(
    name="onnxruntime",
    version="1.31.1",
    tag="cp312-cp312-manylinux_2_28_x86_64",
    files={
        f"{CAPI}/libonnxruntime.so.1.31.1": build_elf(
            exports=("OrtGetApiBase",), soname="libonnxruntime.so.1", code=runtime_linux(31), table_to_code=16
        ),
        **{f"onnxruntime/{name}": text for name, text in TEXTS.items()},
    },
)
