import pytest

from recipes.audit.readers.elf import read_elf
from recipes.audit.readers.pe import read_pe

from .elf_builder import build_elf
from .factory import OGA, OGA_EXPORTS, core_dll, genai_dll, runtime_dll
from .machine_code import genai_arm64, genai_linux, genai_x64, runtime_linux
from .pe_builder import build_pe


@pytest.mark.parametrize("style", ["thunk", "direct", "pointer", "guard"])
@pytest.mark.parametrize("api", [1, 22, 23, 26, 200])
def test_the_compiled_version_is_read_however_the_call_is_written(style, api):
    binary = read_pe("x.dll", genai_dll(code=genai_x64(api, style=style)))
    assert binary.api_compiled.value == api
    assert binary.api_compiled.lowest is None


def test_the_function_may_be_imported_by_name():
    imports = {"onnxruntime.dll": ["OrtGetApiBase"]}
    data = build_pe(imports=imports, exports=OGA_EXPORTS, code=genai_x64(25, ordinal="OrtGetApiBase"))
    assert read_pe("x.dll", data).api_compiled.value == 25


def test_another_imported_function_is_not_taken_for_it():
    imports = {"onnxruntime.dll": [1, 2]}
    data = build_pe(imports=imports, exports=OGA_EXPORTS, code=genai_x64(25, ordinal=2))
    assert read_pe("x.dll", data).api_compiled.value is None


def test_two_constants_are_not_decided_between():
    reading = read_pe("x.dll", genai_dll(code=genai_x64(23, style="two"))).api_compiled
    assert reading.value is None
    assert "23, 24" in reading.how


def test_a_constant_that_is_not_there_is_unknown():
    reading = read_pe("x.dll", genai_dll(code=genai_x64(None))).api_compiled
    assert reading.value is None
    assert "not found" in reading.how


def test_arm64():
    imports = {"onnxruntime.dll": [1]}
    data = build_pe(machine="arm64", imports=imports, exports=OGA_EXPORTS, code=genai_arm64(26))
    binary = read_pe("x.dll", data)
    assert (binary.machine, binary.api_compiled.value) == ("arm64", 26)


@pytest.mark.parametrize("api", [18, 24, 30])
def test_the_offered_version_is_read_from_the_comparison(api):
    assert read_pe("onnxruntime.dll", runtime_dll(api)).api_offered.value == api
    linux = build_elf(exports=("OrtGetApiBase",), code=runtime_linux(api), table_to_code=16)
    assert read_elf("libonnxruntime.so", linux).api_offered.value == api


@pytest.mark.parametrize(("api", "lowest"), [(26, 18), (23, 20), (26, None)])
def test_linux_steps_down_to_a_lowest_version(api, lowest):
    binary = read_elf("x.so", build_elf(exports=OGA, code=genai_linux(api, lowest)))
    assert (binary.api_compiled.value, binary.api_compiled.lowest) == (api, lowest)


def test_the_agility_sdk_that_is_asked_for_and_carried():
    assert read_pe("x.dll", genai_dll(code=genai_x64(23, 618))).agility_asked.value == 618
    assert read_pe("x.dll", core_dll(618)).agility_carried == 618
