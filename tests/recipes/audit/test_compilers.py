"""The API version is read from what real compilers make of the call, at every optimisation."""

import os
import shutil
import subprocess
import sys

import pytest

from recipes.audit.elf import read_elf
from recipes.audit.pe import read_pe

pytestmark = pytest.mark.integration

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


def build(compiler, source, output, api, *options):
    path = output.with_suffix(".c")
    path.write_text(source)
    visible = "__declspec(dllexport)" if output.suffix == ".dll" else '__attribute__((visibility("default")))'
    command = [*compiler, "-shared", f"-DAPI={api}", f"-DEXPORT={visible}", "-o", output, path, *options]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
def test_linux(tmp_path, level):
    if not (gcc := shutil.which("cc")):
        pytest.skip("needs a C compiler")
    options = ("-fPIC", "-fvisibility=hidden", level)
    runtime = read_elf("libonnxruntime.so", build([gcc], RUNTIME, tmp_path / "libonnxruntime.so", 24, *options))
    genai = read_elf("g.so", build([gcc], GENAI_LINUX, tmp_path / "libonnxruntime-genai.so", 27, *options))
    assert runtime.api_offered.value == 24
    assert (genai.api_compiled.value, genai.api_compiled.lowest) == (27, 18)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize(("target", "machine"), [("x86_64-windows-gnu", "x64"), ("aarch64-windows-gnu", "arm64")])
def test_windows(tmp_path, tmp_path_factory, target, machine, level):
    pytest.importorskip("ziglang", reason="needs the compiler of PyPI's ziglang")
    os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "zig"))
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target, level]
    library = tmp_path / "onnxruntime.lib"
    linked = build(zig, RUNTIME, tmp_path / "onnxruntime.dll", 24, f"-Wl,--out-implib,{library}")
    runtime = read_pe("onnxruntime.dll", linked)
    genai = read_pe("g.dll", build(zig, GENAI_WINDOWS, tmp_path / "onnxruntime-genai.dll", 27, library))
    assert (runtime.machine, genai.machine) == (machine, machine)
    assert runtime.api_offered.value == 24
    assert genai.api_compiled.value == 27
    assert genai.imported_from("onnxruntime.dll").symbols == ("OrtGetApiBase",)
