"""The API version is read from what real compilers make of the call, at every optimisation."""

import shlex
import shutil
import subprocess
import sys

import pytest

from recipes.audit.readers.elf import read_elf
from recipes.audit.readers.pe import read_pe

RUNTIME = r"""
typedef struct { const void* (*GetApi)(unsigned); const char* (*GetVersionString)(void); } Base;
static int table;
extern int printf(const char*, ...);
static const void* get_api(unsigned version) {
  if (version >= 1 && version <= API) return &table;
  printf("The requested API version [%u] is not available, only [1, %u]\n", version, API);
  return 0;
}
static const char* version(void) { return "1"; }
static const Base base = { get_api, version };
EXPORT const Base* OrtGetApiBase(void) { return &base; }
"""

GENAI_WINDOWS = r"""
typedef struct { const void* (*GetApi)(unsigned); const char* (*GetVersionString)(void); } Base;
__declspec(dllimport) const Base* OrtGetApiBase(void);
static const void* api;
EXPORT const void* OgaCreateModel(void) {
  api = OrtGetApiBase()->GetApi(API);
  return api ? api : (const void*)OrtGetApiBase()->GetVersionString();
}
"""

GENAI_LINUX = r"""
#include <dlfcn.h>
#include <stdio.h>
typedef struct { const void* (*GetApi)(unsigned); const char* (*GetVersionString)(void); } Base;
static const void* api;
EXPORT const void* OgaCreateModel(void* handle) {
  typedef const Base* (*Function)(void);
  Function function = (Function)dlsym(handle, "OrtGetApiBase");
  if (!function) { puts("OrtGetApiBase not found"); return 0; }
  const Base* base = function();
  if (!base) return 0;
  for (int i = API; i >= 18; --i) {
    api = base->GetApi(i);
    if (api) { if (i < API) printf("%d\n", i); break; }
  }
  return api;
}
"""


def command(compiler, source, output, api, *options):
    """Write the source beside `output`; return the command that compiles it."""
    path = output.with_suffix(".c")
    path.write_text(source, encoding="utf-8")
    visible = "__declspec(dllexport)" if output.suffix == ".dll" else '__attribute__((visibility("default")))'
    return [*map(str, (*compiler, "-shared", f"-DAPI={api}", f"-DEXPORT={visible}", "-o", output, path, *options))]


def build(compiler, source, output, api, *options):
    argv = command(compiler, source, output, api, *options)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
def test_linux(tmp_path, level):
    if not (gcc := shutil.which("cc")):
        pytest.skip("needs a C compiler")
    options = ("-fPIC", "-fvisibility=hidden", level)
    runtime = read_elf("libonnxruntime.so", build([gcc], RUNTIME, tmp_path / "libonnxruntime.so", 24, *options))
    genai = read_elf("g.so", build([gcc], GENAI_LINUX, tmp_path / "libonnxruntime-genai.so", 27, *options))
    assert runtime.api_offered.value == 24
    assert (genai.api_compiled.value, genai.api_compiled.lowest) == (27, 18)


@pytest.mark.wine
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
def test_windows_with_the_compiler_of_the_wine_runtime(tmp_path, level):
    from smoke.wine import namespace, places
    from wheelhouse import process

    library = tmp_path / "onnxruntime.lib"
    gcc = ("x86_64-w64-mingw32-gcc", level)
    argvs = [
        command(gcc, RUNTIME, tmp_path / "onnxruntime.dll", 24, f"-Wl,--out-implib,{library}"),
        command(gcc, GENAI_WINDOWS, tmp_path / "onnxruntime-genai.dll", 27, library),
    ]
    script = " && ".join(shlex.join(argv) for argv in argvs)
    root = str(places.ground().tree)
    spec = namespace.Spec(root=root, argv=("sh", "-c", script), binds={str(tmp_path): str(tmp_path)})
    (tmp_path / "spec.json").write_text(spec.text(), encoding="utf-8")
    process.run(process.Command(argv=namespace.session(tmp_path / "spec.json"), timeout=120), log=tmp_path / "log")
    check_windows(tmp_path, "x64")


@pytest.mark.integration
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize(("target", "machine"), [("x86_64-windows-gnu", "x64"), ("aarch64-windows-gnu", "arm64")])
def test_windows_with_zig(tmp_path, target, machine, level):
    """The only compiler for ARM64 that PyPI has. What cannot be followed is unknown, never wrong: ARM64 code at -O0."""
    pytest.importorskip("ziglang", reason="needs the compiler of PyPI's ziglang")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target, level]
    library = tmp_path / "onnxruntime.lib"
    build(zig, RUNTIME, tmp_path / "onnxruntime.dll", 24, f"-Wl,--out-implib,{library}")
    build(zig, GENAI_WINDOWS, tmp_path / "onnxruntime-genai.dll", 27, library)
    check_windows(tmp_path, machine, unknown=level == "-O0" and machine == "arm64")


def check_windows(folder, machine, *, unknown=False):
    runtime = read_pe("onnxruntime.dll", (folder / "onnxruntime.dll").read_bytes())
    genai = read_pe("g.dll", (folder / "onnxruntime-genai.dll").read_bytes())
    assert (runtime.machine, genai.machine) == (machine, machine)
    assert runtime.api_offered.value == 24
    assert genai.api_compiled.value in ({None, 27} if unknown else {27})
    assert genai.imported_from("onnxruntime.dll").symbols == ("OrtGetApiBase",)
