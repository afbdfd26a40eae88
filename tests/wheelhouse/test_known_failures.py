import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse.errors import StepFailedError
from wheelhouse.known_failures import known_failures, recognise, recognise_in
from wheelhouse.paths import ROOT
from wheelhouse.process import Command, run

# What the tools really print, shortened to the lines around the cause.
EXCERPTS = {
    "windows-sdk-too-old": r"""
core\platform\windows\device_discovery.cc(403,5): error C2065: 'DXCoreHardwareIDParts': undeclared identifier
""",
    "onnxruntime-dml-on-linux": """
CMake Error at CMakeLists.txt:944 (message):
  The DirectML execution provider is only supported when building for Windows.
""",
    "genai-dml-on-linux": """
CMake Error at cmake/check_dml.cmake:7 (message):
  USE_DML is ON but this isn't windows.
""",
    "wrong-onnxruntime-loaded": """
The given version [19] is not supported, only version 1 to 10 is supported in this build.
""",
    "old-msvc-runtime": """
ImportError: DLL load failed while importing x: A dynamic link library (DLL) initialization routine failed.
""",
    "dxil-in-wine": """
Warning: Unable to create a device from version 1.614.0 of the DirectX 12 Agility SDK. You can still use this library
d3d12-shim[36]: DXIL shader refused (0x80004005)
""",
    "agility-sdk-not-found": "Unable to load D3D12Core.dll",
    "genai-without-dml": """
RuntimeError: DML provider requested, but the installed GenAI has not been built with DML support.
""",
    "tokenizer-class-unknown": "RuntimeError in stage 'load': Unsupported tokenizer class: TokenizersBackend",
    "cpu-model-on-dml": """
Non-zero status code returned while running Expand node. Name:'/model/attn_mask_reformat/input_ids_subgraph/Expand' \
Status Message: invalid expand shape
""",
    "gpu-gone": """
Non-zero status code returned while running DmlFusedNode_0_0 node. Status Message: (caller: 00007FFD50CD96AE) \
The GPU will not respond to more commands, most likely because of an invalid command passed by the calling application.
""",
    "old-directml": "DirectML: The requested minimum level set is not supported by this device.",
    "shared-buffer-needed": """
RuntimeError: search options: past_present_share_buffer must be true for the DML provider
""",
    "graph-capture": """
This session cannot use the graph capture feature as requested by the user as the model has control flow nodes
""",
    "unsatisfiable-pair": """
ERROR: Could not find a version that satisfies the requirement onnxruntime-directml>=1.26.0 (from versions: 1.24.4)
ERROR: No matching distribution found for onnxruntime-directml>=1.26.0
""",
    "torchvision-mismatch": "RuntimeError: operator torchvision::nms does not exist",
    "group-size-does-not-divide": "Failed to apply group-wise quantization with group size value 128.",
    "rope-type-missing": """
  File "builders/phi.py", line 12, in make_rotary_embedding_caches
KeyError: 'type'
""",
    "no-npu": "RuntimeError: Exception from src/plugin.cpp:1: Could not find an NPU device.",
    "no-opencl": "Cannot load library libopenvino_intel_gpu_plugin.so: libOpenCL.so.1: cannot open shared object file",
    "wine-no-display": "CreateDXGIFactory2 failed: 0x887a0004",
    "wine-no-shim": "DMLCreateDevice: 0x80004001",
    "path-too-long": "error: unable to create file cmake/external/x.cmake: Filename too long",
    "out-of-memory": "g++: fatal error: Killed signal terminated program cc1plus",
    "disk-full": "fatal error: error writing to x.s: No space left on device",
    "certificate": "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
    "unreachable": "fatal: unable to access 'https://github.com/': Could not resolve host: github.com",
    "chat-template": "RuntimeError: This runtime's template engine cannot render the model's chat template: no replace",
    "hangs-while-loading": "it did nothing for 120 s when its model was to be loaded",
    "illegal-instruction": "The worker ended with status 0xC000001D (illegal instruction).",
}


def test_every_known_failure_has_an_excerpt() -> None:
    assert [k.id for k in known_failures()] == list(EXCERPTS)


@pytest.mark.parametrize("name", EXCERPTS)
def test_excerpt_is_recognised_as_what_it_is(name: str) -> None:
    found = recognise(EXCERPTS[name].splitlines())
    assert found is not None
    assert found.id == name


@pytest.mark.parametrize("known", known_failures(), ids=lambda k: k.id)
def test_rows_are_sentences_and_their_threads_public(known: object) -> None:
    for text in (known.cause, known.remedy):  # type: ignore[attr-defined]
        assert re.fullmatch(r"[A-Za-z0-9].*\.", text)
    for url in known.threads:  # type: ignore[attr-defined]
        assert re.fullmatch(
            r"https://github\.com/(microsoft/onnxruntime(-genai)?|uxlfoundation/oneDNN)/(issues|pull)/\d+", url
        )


@given(st.lists(st.text(max_size=80), max_size=15))
def test_any_output_is_survived(lines: list[str]) -> None:
    recognise(lines)


def test_a_cause_that_later_output_has_pushed_away_is_found_in_the_log(tmp_path: Path) -> None:
    code = "print('fatal error: No space left on device'); [print('[%d/99] Building' % i) for i in range(60)]; exit(1)"
    with pytest.raises(StepFailedError, match="The disk is full") as caught:
        run(Command(argv=(sys.executable, "-c", code)), log=tmp_path / "log")
    assert "[59/99]" in str(caught.value)


def test_the_last_lines_count_before_what_stands_above_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Connection refused\n" * 40, encoding="utf-8")
    found = recognise_in(log, ["fatal error: No space left on device"])
    assert found is not None
    assert found.id == "disk-full"
    further = recognise_in(log, ["exit"])
    assert further is not None
    assert further.id == "unreachable"
    assert recognise_in(tmp_path / "missing") is None


def test_a_failed_process_is_explained(tmp_path: Path) -> None:
    command = Command(argv=(sys.executable, "-c", "print(\"KeyError: 'type'\"); raise SystemExit(1)"))
    with pytest.raises(StepFailedError) as caught:
        run(command, log=tmp_path / "log", remedy="Generic advice.")
    assert "transformers 5 saved rope_parameters" in str(caught.value)
    assert "at the top level of config.json" in str(caught.value)
    assert "Generic advice." not in str(caught.value)


def test_every_process_that_fails_is_explained_by_run() -> None:
    """What starts a process otherwise, or looks at its end itself, is named here with who explains it."""
    own_eyes = {
        "wheelhouse/downloads.py": "recognise",  # pip download
        "smoke/running/jobs.py": "",  # the end is judged in smoke/parity/verdicts.py, `crashed`
        "smoke/parity/verdicts.py": "recognise",
        "smoke/generate.py": "recognise_in",
        "smoke/suites/npu_check/check.py": "",  # smoke/parity/verdicts.py again, and explanations of the compiler's own
        "smoke/narrowing/errands.py": "",  # an operator that ends its process is refused there, and the others go on
        "smoke/narrowing/explaining.py": "",  # how a repro ends is the finding
        "smoke/comparing/elsewhere/bundle_run.py": "",  # on another machine, alone
        "smoke/report/page/pictures.py": "",  # a report without charts is one all the same
        "smoke/suites/operators/suite.py": "",  # a crash is a result there, counted by operator
        "smoke/environments/venvs.py": "",  # ensurepip, with an explanation of its own
        "smoke/wine/inside/process_one.py": "",  # inside the namespace: its output is the outer process's
        "smoke/wine/inside/stand_in.py": "",  # does what it is told: how that ends is for who asked
        "smoke/wine/parts/host_wine.py": "",  # asks for a version
        "recipes/audit/apart.py": "",  # a reader that ends too early is a finding
        "smoke/models/template_trial.py": "",  # a renderer that ends too early is what is wrong with the template
        "recipes/upgrading/candidates.py": "",  # a wheel that pip does not find is in the way of a pair, and said so
        "recipes/wheels/requirements.py": "",  # pip for another platform: its words are in the log that the error names
        "recipes/wheels/trial.py": "",  # how a trial ends is its result
        "smoke/wine/whole/installing.py": "",  # asks git for names
        "recipes/audit/pip_answers.py": "",  # an index without an answer is a finding
        "front/bench.py": "",
        "wheelhouse/processes/alone.py": "",  # asks whether this system lets a process have no network
        "wheelhouse/machine/host.py": "",  # facts: what does not answer is unknown
        "wheelhouse/machine/host_windows.py": "",
        "wheelhouse/machine/interpreters.py": "",
        "wheelhouse/processes/orphans.py": "",
        "wheelhouse/process.py": "recognise_in",
    }
    starts = re.compile(r"subprocess\.(run|Popen|check_\w+)\(|check=False")
    found = {}
    for package in ("recipes", "smoke", "wheelhouse"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "worker" not in path.parts and starts.search(text):
                found[path.relative_to(ROOT).as_posix()] = text
    assert found.keys() - own_eyes.keys() == set(), "call process.run, or recognise() what the output says"
    assert [name for name, text in found.items() if own_eyes[name] and f"{own_eyes[name]}(" not in text] == []
