"""One wheel for every rule, in which exactly that is wrong."""

from __future__ import annotations

import struct
import warnings
import zipfile

from .elf_builder import build_elf
from .factory import (
    CAPI,
    GENAI,
    LINUX,
    OGA,
    OGA_EXPORTS,
    PACKAGE,
    PLAIN,
    RUNTIME,
    Spec,
    core_dll,
    digest,
    entry,
    extension,
    genai_dll,
    runtime_dll,
)
from .machine_code import genai_arm64, genai_linux, genai_x64
from .pe_builder import build_pe

DLL, CORE = f"{PACKAGE}/onnxruntime-genai.dll", f"{PACKAGE}/D3D12Core.dll"
SO = f"{PACKAGE}/libonnxruntime-genai.so"
PYD = f"{PACKAGE}/onnxruntime_genai.cp312-win_amd64.pyd"
D3D = {"onnxruntime.dll": [1], "d3d12.dll": ["D3D12GetInterface"]}


def packed(name, change):
    """Return a `pack` that writes one member in its own way."""

    def pack(archive, member, data):
        if member != name:
            return False
        change(archive, member, data)
        return True

    return pack


def _twice(archive, member, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what is done here on purpose
        archive.writestr(entry(member), data)
        archive.writestr(entry(member), data)


def _vast_directory(data):
    return data[:-10] + struct.pack("<L", 25 << 20) + data[-6:]


def _bzip2(archive, member, data):
    info = entry(member)
    info.compress_type = zipfile.ZIP_BZIP2
    archive.writestr(info, data)


def _another_crc(data: bytes) -> bytes:
    """Change the checksum in the first local header, which zipfile does not look at."""
    return data[:14] + bytes(4) + data[18:]


def _no_lines_for(path):
    return lambda rows: [row for row in rows if row[0] != path]


def _row(path, column, value):
    return lambda rows: [[*row[:column], value, *row[column + 1 :]] if row[0] == path else row for row in rows]


INIT = "demo/__init__.py"
TEXTS = {path: data for path, data in GENAI.files.items() if data and not data.startswith(b"MZ")}
ARM64 = {
    DLL: build_pe(machine="arm64", imports=D3D, exports=OGA_EXPORTS, code=genai_arm64(23)),
    PYD.replace("amd64", "arm64"): extension(machine="arm64"),
}
PATH = b"C:\\Users\\Erika Muster\\src\\genai\\model.cpp"

LATE = {"d3d12.dll": ["D3D12GetInterface"], "KERNEL32.dll": ["Sleep"]}


FOREIGN = GENAI.but(own=False, version="0.15.2")


def runtime_less() -> bytes:
    return build_pe(exports={"DMLCreateDevice": 1})


DEFECTS: dict[str, list[Spec]] = {
    "archive-broken": [
        PLAIN.but(archive=lambda data: data[:-30]),
        PLAIN.but(archive=lambda _: b"this is no archive"),
        PLAIN.but(archive=lambda _: b""),
    ],
    "archive-unchecked": [PLAIN.but(archive=_vast_directory)],
    "archive-header": [PLAIN.but(archive=_another_crc)],
    "archive-path": [PLAIN.with_file(name, b"") for name in ("../evil.py", "/etc/x", "C:/x", "a\\b.py", "a//b", "./a")],
    "archive-windows-name": [
        PLAIN.with_file(name, b"")
        for name in (
            "demo/aux.txt",
            "demo/NUL",
            "Com1/x.py",
            "demo/lpt².log",
            "demo/end.",
            "demo/end /x.py",
            "demo/a:b.py",
            "demo/what?.py",
        )
    ],
    "archive-duplicate": [
        PLAIN.but(pack=packed(INIT, _twice)),
        PLAIN.with_file("demo/Data", b"1").with_file("demo/data", b"2"),
    ],
    "archive-link": [
        PLAIN.but(pack=packed(INIT, lambda archive, m, _: archive.writestr(entry(m, mode=0o120777), "/etc/passwd"))),
        PLAIN.but(pack=packed(INIT, lambda archive, m, _: archive.writestr(entry(m, mode=0o010644), ""))),
    ],
    "archive-bomb": [PLAIN.with_file("demo/zeros.bin", bytes(20 << 20))],
    "archive-method": [PLAIN.but(pack=packed(INIT, _bzip2))],
    "record-missing": [PLAIN.but(drop=("RECORD",))],
    "record-form": [
        PLAIN.but(record=_row(INIT, 1, "md5=abc")),
        PLAIN.but(record=_row(INIT, 1, "")),
        PLAIN.but(record=_row(INIT, 2, "six")),
        PLAIN.but(record=lambda rows: [*rows, rows[0]]),
    ],
    "record-mismatch": [
        PLAIN.but(record=_row(INIT, 1, f"sha256={digest(b'other')}")),
        PLAIN.but(record=_row(INIT, 2, "7")),
        PLAIN.but(record=_row(INIT, 1, "sha256=not base64")),
    ],
    "record-unlisted": [PLAIN.but(record=_no_lines_for(INIT))],
    "record-absent": [PLAIN.but(record=lambda rows: [*rows, ["demo/lost.py", f"sha256={digest(b'')}", "0"]])],
    "filename-invalid": [PLAIN.but(filename="demo-1.0.whl"), PLAIN.but(filename="demo-one-py3-none-any.whl")],
    "metadata-missing": [PLAIN.but(drop=("METADATA",)), PLAIN.but(drop=("WHEEL",)), PLAIN.but(folder="demo-1.0.info")],
    "metadata-invalid": [
        PLAIN.but(requires=("numpy >= one",)),
        PLAIN.but(metadata="Metadata-Version: 2.4\nVersion: 1.0\n"),
        PLAIN.but(metadata="Metadata-Version: 2.4\nName: demo\nVersion: one\n"),
    ],
    "metadata-mismatch": [
        PLAIN.but(metadata="Metadata-Version: 2.4\nName: demo\nVersion: 1.1\n"),
        PLAIN.but(filename="other-1.0-py3-none-any.whl"),
        PLAIN.but(folder="other-1.0.dist-info"),
    ],
    "tags-mismatch": [PLAIN.but(wheel_tags=("py2-none-any",)), PLAIN.but(filename="demo-1.0-py3-none-win_amd64.whl")],
    "wheel-format": [PLAIN.but(wheel_version="2.0"), RUNTIME.but(purelib=True)],
    "binary-malformed": [
        GENAI.with_file(CORE, core_dll()[:-512]),
        GENAI.with_file(DLL, GENAI.files[DLL][:300]),
        GENAI.with_file(CORE, b"MZ" + bytes(200)),
        LINUX.with_file(SO, LINUX.files[SO][:-100]),
        LINUX.with_file(SO, b"\x7fELF" + bytes(100)),
    ],
    "machine-mismatch": [
        GENAI.with_file(DLL, build_pe(machine="arm64", imports=D3D, exports=OGA_EXPORTS, code=genai_arm64(23))),
        GENAI.with_file(CORE, core_dll()[:132] + struct.pack("<H", 0x14C) + core_dll()[134:]),
        LINUX.with_file(SO, build_elf(machine="x86", exports=OGA, soname="libonnxruntime-genai.so")),
        GENAI.with_file(PYD, extension(hybrid=True)),
        GENAI.without(PYD).but(tag="cp312-cp312-win_arm64", files={**ARM64, **TEXTS, CORE: core_dll(hybrid=True)}),
        GENAI.without(PYD).with_file(PYD.replace("amd64", "arm64"), GENAI.files[PYD]),
        PLAIN.with_file("demo/fast.cp312-win_amd64.pyd", extension(module="fast")),
    ],
    "python-mismatch": [
        GENAI.with_file(PYD, extension("313")),
        GENAI.without(PYD).with_file(PYD.replace("cp312", "cp313"), extension("312")),
    ],
    "import-unknown": [
        GENAI.with_file(DLL, genai_dll(imports={**D3D, "helper.dll": ["Help"]})),
        GENAI.but(requires=()),
        LINUX.with_file(
            SO, build_elf(exports=OGA, code=genai_linux(), needed=("libhelper.so.2",), soname="libonnxruntime-genai.so")
        ),
    ],
    "import-delayed": [FOREIGN.with_file(DLL, genai_dll(delayed={"helper.dll": ["Help"]}))],
    "import-delayed-missing": [
        FOREIGN.but(requires=()).with_file(DLL, genai_dll(imports=LATE, delayed={"onnxruntime.dll": [1]})),
        GENAI.with_file(DLL, genai_dll(delayed={"helper.dll": ["Help"]})),
    ],
    "directml-beside": [
        RUNTIME.but(name="demo").without(f"{CAPI}/DirectML.dll"),
        RUNTIME.but(name="demo").without(f"{CAPI}/DirectML.dll").with_file("demo/DirectML.dll", runtime_less()),
    ],
    "two-runtimes": [RUNTIME.with_file("other/onnxruntime.dll", build_pe(exports={"OrtGetApiBase": 1}))],
    "import-undeclared": [
        PLAIN.with_file("demo/loading.py", code)
        for code in (
            b"from importlib.util import find_spec\nif not find_spec('onnxruntime'):\n    raise ImportError('x')\n",
            b"import importlib.util as u\np = u.find_spec('gone')\nif p is None:\n    raise ImportError\n",
        )
    ]
    + [
        PLAIN.with_file("demo/__init__.py", b"import os, demo\nimport onnxruntime.capi as c\n"),
        PLAIN.with_file("demo/__init__.py", b"from onnx_extras.parts import x\n"),
        PLAIN.with_file("demo/__init__.py", b"from . import later\n").with_file("demo/later.py", b"import torch\n"),
        PLAIN.with_file("demo/__init__.py", b"from demo.later import x\n").with_file("demo/later.py", b"import PIL\n"),
    ],
    "requires-python": [RUNTIME.but(python="<3.12"), RUNTIME.but(python=">=3.13"), RUNTIME.but(python="")],
    "any-with-binaries": [PLAIN.with_file("demo/helper.dll", build_pe(exports={"Help": 1}))],
    "licence-file-absent": [
        PLAIN.but(metadata="Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nLicense-File: COPYING\n")
    ],
    "import-symbol": [
        GENAI.with_file(PYD, extension(imports={"onnxruntime-genai.dll": ["OgaCreateModel", "OgaGone"]}))
    ],
    "msvc-runtime": [GENAI.with_file(DLL, genai_dll(imports={**D3D, "MSVCP140.dll": ["_Mtx_lock"]}))],
    "windows-version": [GENAI],
    "exports-missing": [
        GENAI.with_file(DLL, genai_dll(exports={n: o for n, o in OGA_EXPORTS.items() if n != "OgaDestroyModel"})),
        GENAI.with_file(PYD, extension(module="other")),
        RUNTIME.with_file(f"{CAPI}/onnxruntime.dll", runtime_dll(exports={"OrtGetApiBase": 2, "Other": 1})),
        LINUX.with_file(SO, build_elf(exports=OGA[:-1], code=genai_linux(), soname="libonnxruntime-genai.so")),
    ],
    "decoy-runtime": [GENAI.with_file(f"{PACKAGE}/onnxruntime.dll", runtime_dll())],
    "directml-place": [
        GENAI.without(CORE),
        GENAI.without(CORE).with_file("D3D12/D3D12Core.dll", core_dll()),
        RUNTIME.without(f"{CAPI}/DirectML.dll"),
        RUNTIME.without(f"{CAPI}/DirectML.dll").with_file(
            "onnxruntime/DirectML.dll", RUNTIME.files[f"{CAPI}/DirectML.dll"]
        ),
    ],
    "api-floor": [GENAI.but(own=False, version="0.15.2", requires=("onnxruntime-directml>=1.20",))],
    "api-unknown": [GENAI.with_file(DLL, genai_dll(code=genai_x64(None, 614)))],
    "agility-version": [GENAI.with_file(CORE, core_dll(611)), GENAI.with_file(DLL, genai_dll(code=genai_x64(23, 618)))],
    "requirement-inexact": [
        GENAI.but(requires=("onnxruntime-directml>=1.24.4",)),
        GENAI.but(requires=("onnxruntime-directml==1.24.*",)),
        GENAI.but(requires=("onnxruntime-directml==1.24.4,>=1.24",)),
    ],
    "runpath-absolute": [
        LINUX.with_file(SO, build_elf(exports=OGA, code=genai_linux(), soname="libonnxruntime-genai.so", runpath=path))
        for path in ("/build/ort/lib", "$ORIGIN:/opt/lib", "$ORIGIN:", "lib")
    ],
    "manylinux-level": [
        LINUX.with_file(
            SO,
            build_elf(
                exports=OGA,
                code=genai_linux(),
                soname="libonnxruntime-genai.so",
                versions={"libc.so.6": ["GLIBC_2.17", need]},
            ),
        )
        for need in ("GLIBC_2.34", "GLIBCXX_3.4.29", "GLIBC_2.38")
    ]
    + [
        LINUX.with_file(
            SO, build_elf(exports=OGA, code=genai_linux(), soname="libonnxruntime-genai.so", imports=[name])
        )
        for name in ("__isoc23_strtol", "__isoc23_sscanf")
    ],
    "symbol-version-orphan": [
        LINUX.with_file(
            SO, build_elf(exports=OGA, code=genai_linux(), soname="libonnxruntime-genai.so", versions=versions, **more)
        )
        for versions, more in (
            ({"libstdc++.so.6": ["GLIBCXX_3.4.21"]}, {}),
            ({"libonnxruntime.so.1": ["VERS_1.31"]}, {}),
            ({"libc.so.6": ["GLIBC_2.17"], "libm.so.6": ["GLIBC_2.27"]}, {}),
            ({"": ["VERS_1"]}, {}),
        )
    ]
    + [
        LINUX.with_file(f"{PACKAGE}/libhelper.so.1", build_elf(soname="libhelper.so.1", **defined)).with_file(
            SO,
            build_elf(
                exports=OGA,
                code=genai_linux(),
                soname="libonnxruntime-genai.so",
                needed=("libhelper.so.1", "libc.so.6"),
                runpath="$ORIGIN",
                versions={"libhelper.so.1": ["HELPER_2"]},
            ),
        )
        for defined in ({}, {"defines": ["libhelper.so.1", "HELPER_1"]})
    ],
    "linux-unportable": [LINUX.but(tag="cp312-cp312-linux_x86_64")],
    "leaked-path": [
        GENAI.with_file(DLL, genai_dll(payload=PATH)),
        GENAI.with_file(DLL, genai_dll(payload=PATH.replace(b"\\", b"/"))),
        GENAI.with_file(DLL, genai_dll(pdb=PATH.decode() + ".pdb")),
        LINUX.with_file(
            SO,
            build_elf(
                exports=OGA, code=genai_linux(), soname="libonnxruntime-genai.so", payload=b"/home/erika/src/x.cc"
            ),
        ),
        PLAIN.with_file("demo/build.json", b'{"folder": "/Users/erika/build/x"}'),
        PLAIN.with_file("demo/build.json", b" " * ((1 << 20) - 5) + b'"/home/erika/build/x"'),
    ],
    "leaked-build-folder": [GENAI.with_file(DLL, genai_dll(payload=b"D:\\a\\wheelhouse\\x.cpp"))],
    "debug-file": [GENAI.with_file(f"{PACKAGE}/onnxruntime-genai.pdb", b"Microsoft C/C++ MSF 7.00")],
    "secret": [
        PLAIN.with_file("demo/settings.json", b'{"token": "ghp_' + b"a1B2" * 9 + b'"}'),
        PLAIN.with_file("demo/key.pem", b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkq" * 6),
        GENAI.with_file(DLL, genai_dll(payload=b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkq" * 6)),
    ],
    "licence-missing": [PLAIN.without("demo/LICENSE"), GENAI.without(f"{PACKAGE}/LICENSE")],
    "notices-missing": [GENAI.without(f"{PACKAGE}/ThirdPartyNotices.txt")],
    "sbom-missing": [
        GENAI.but(drop=("sboms/dml-wheelhouse.cdx.json",)),
        GENAI.but(drop=("provenance.json",)),
    ],
    "sbom-mismatch": [
        GENAI.but(listed={DLL: "0" * 64}),
        GENAI.but(listed={f"{PACKAGE}/gone.dll": "0" * 64}),
        GENAI.but(own=False, extra={"sboms/dml-wheelhouse.cdx.json": b"[1]", "provenance.json": b'{"format": 1}'}),
    ],
    "commit-mismatch": [
        GENAI.but(commit="00d66ef04e").with_file(f"{PACKAGE}/__init__.py", b'__commit__ = "b7a6ec307b"\n'),
        GENAI.but(commit="0" * 40).with_file(DLL, genai_dll(payload=b"ORT git-commit-id=f2c39fe2f8, x")),
        GENAI.but(commit="f2c39fe2f8").with_file(DLL, genai_dll(payload=b"git-commit-id=f2c39fe2f9, x")),
    ],
    "timestamps": [
        GENAI.but(pack=packed(DLL, lambda a, m, data: a.writestr(entry(m, (2024, 1, 1, 0, 0, 0)), data))),
    ],
    "member-order": [
        GENAI.but(order=lambda names: names[::-1]),
        GENAI.but(order=lambda names: [*names[1:-1], names[0], names[-1]]),
    ],
}
