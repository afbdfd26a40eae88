"""The part of upstream's build.py that is used, with the same flags and the same places for what comes out."""

import argparse
import base64
import hashlib
import platform
import re
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
    for flag in ("build_shared_lib", "build_wheel", "use_dml", "no_telemetry", "arm64"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--dml_path", type=Path)
    return parser.parse_args()


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def system_of(build):
    """Return what CMake has configured for: system and processor."""
    (file,) = (build / "CMakeFiles").glob("*/CMakeSystem.cmake")
    found = dict(
        re.findall(r'set\((CMAKE_SYSTEM_NAME|CMAKE_SYSTEM_PROCESSOR) "([^"]*)"\)', file.read_text(encoding="utf-8"))
    )
    return found["CMAKE_SYSTEM_NAME"], found["CMAKE_SYSTEM_PROCESSOR"]


def libraries_of(build, dml_path):
    if system_of(build)[0] == "Windows":
        directml = {"DirectML.dll": dml_path / "bin" / "DirectML.dll"} if dml_path else {}
        (library,) = {*build.glob("onnxruntime.dll"), *build.glob("Release/onnxruntime.dll")}
        return {"onnxruntime.dll": library, **directml}
    return {"libonnxruntime.so": build / "libonnxruntime.so"}


def write_wheel(build, version, dml_path, arm64):
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    name, folder = ("onnxruntime_directml", "onnxruntime") if dml_path else ("miniort", "miniort")
    info = f"{name}-{version}.dist-info"
    system, processor = system_of(build)
    processor = "arm64" if arm64 else processor
    platform_tag = f"win_{processor.lower()}" if system == "Windows" else f"linux_{platform.machine()}"
    notices = "No third parties."
    files = {
        f"{folder}/ThirdPartyNotices.txt": notices.encode(),
        f"{folder}/__init__.py": b"",
        **{f"{folder}/capi/{name}": path.read_bytes() for name, path in libraries_of(build, dml_path).items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: mini\nRoot-Is-Purelib: false\nTag: {tag}-{tag}-{platform_tag}\n".encode()
        ),
        f"{info}/licenses/LICENSE": b"Part of dml-wheelhouse's tests.",
    }
    files[f"{info}/RECORD"] = ("".join(record_line(*f) for f in files.items()) + f"{info}/RECORD,,\n").encode()
    (build / "dist").mkdir(exist_ok=True)
    with zipfile.ZipFile(build / "dist" / f"{name}-{version}-{tag}-{tag}-{platform_tag}.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name), data)


def main():
    chosen = arguments()
    (ROOT / "generated-by-the-build.txt").write_text("upstream's build may write beside its sources", encoding="utf-8")
    build = chosen.build_dir / chosen.config
    defines = [f"-D{d}" for d in chosen.cmake_extra_defines]
    if chosen.use_dml:
        if not chosen.dml_path:
            sys.exit("without --dml_path a NuGet client would be downloaded")
        defines += ["-Donnxruntime_USE_DML=ON", f"-Ddml_DIR={chosen.dml_path}"]
    if chosen.update:
        processor = ["-A", "ARM64"] if chosen.arm64 else []
        generator = ["-G", chosen.cmake_generator, *processor, f"-DCMAKE_BUILD_TYPE={chosen.config}"]
        subprocess.run([chosen.cmake_path, "-S", ROOT / "cmake", "-B", build, *generator, *defines], check=True)
    if chosen.build:
        subprocess.run([chosen.cmake_path, "--build", build, "--config", chosen.config], check=True)
    if chosen.build_wheel:
        write_wheel(build, (ROOT / "VERSION_NUMBER").read_text(encoding="utf-8").strip(), chosen.dml_path, chosen.arm64)


main()
