"""The part of upstream's build.py that is used, with the same flags and the same places for what comes out."""

import argparse
import base64
import hashlib
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build_dir", required=True, type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--cmake_path", default="cmake")
    parser.add_argument("--cmake_generator")
    parser.add_argument("--cmake_extra_defines", nargs="+", default=[])
    parser.add_argument("--parallel", nargs="?", const="0", default="1", type=int)
    for flag in ("update", "build", "skip_tests", "skip_submodule_sync", "compile_no_warning_as_error"):
        parser.add_argument(f"--{flag}", action="store_true")
    for flag in ("build_shared_lib", "build_wheel", "use_dml", "arm64"):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def write_wheel(build, version):
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    info = f"miniort-{version}.dist-info"
    machine = platform.machine()
    notices = "No third parties."
    files = {
        "miniort/ThirdPartyNotices.txt": notices.encode(),
        "miniort/__init__.py": b"",
        "miniort/capi/libonnxruntime.so": (build / "libonnxruntime.so").read_bytes(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: miniort\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: mini\nRoot-Is-Purelib: false\nTag: {tag}-{tag}-linux_{machine}\n".encode()
        ),
        f"{info}/licenses/LICENSE": b"Part of dml-wheelhouse's tests.",
    }
    files[f"{info}/RECORD"] = ("".join(record_line(*f) for f in files.items()) + f"{info}/RECORD,,\n").encode()
    (build / "dist").mkdir(exist_ok=True)
    with zipfile.ZipFile(build / "dist" / f"miniort-{version}-{tag}-{tag}-linux_{machine}.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name), data)


def main():
    chosen = arguments()
    (ROOT / "generated-by-the-build.txt").write_text("upstream's build may write beside its sources", encoding="utf-8")
    if chosen.use_dml and os.name != "nt":
        sys.exit("The DirectML execution provider is only supported when building for Windows.")
    build = chosen.build_dir / chosen.config
    defines = [f"-D{d}" for d in chosen.cmake_extra_defines]
    if chosen.update:
        generator = ["-G", chosen.cmake_generator, f"-DCMAKE_BUILD_TYPE={chosen.config}"]
        subprocess.run([chosen.cmake_path, "-S", ROOT / "cmake", "-B", build, *generator, *defines], check=True)
    if chosen.build:
        subprocess.run([chosen.cmake_path, "--build", build, "--config", chosen.config], check=True)
    if chosen.build_wheel:
        write_wheel(build, (ROOT / "VERSION_NUMBER").read_text(encoding="utf-8").strip())


main()
