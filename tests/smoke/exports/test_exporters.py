"""The command lines of the exports: those of the guides, with the one exception that a model's widths force."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.exports.exporters import EXPORTERS, group_size_fits
from smoke.exports.making import EXPORTS
from tests.smoke.models.building import facts
from wheelhouse.errors import UnsupportedError

GUIDE = (
    "export openvino --model M --task text-generation-with-past "
    "--weight-format int4 --group-size 128 --ratio 0.6 --sym --trust-remote-code"
)
OPTIMUM = "-m optimum.commands.optimum_cli export openvino --model M --task text-generation-with-past"
NPU = "--weight-format int4 --sym --ratio 1.0"
BUILDER = "-m onnxruntime_genai.models.builder -i M -o OUT"
FITS = {"hidden_size": 2048, "num_attention_heads": 16, "head_dim": 128, "intermediate_size": 8192}
SMOLLM2 = {
    "hidden_size": 576,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "intermediate_size": 1536,
}


def line(kind: str, config: dict[str, int]) -> str:
    exporter = EXPORTERS[kind]
    return " ".join(exporter.arguments(Path("M"), Path("OUT"), exporter.settings(facts(**config))))


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("openvino-int4", FITS, f"-m optimum.commands.optimum_cli {GUIDE} OUT"),
        ("openvino-int4", SMOLLM2, f"-m optimum.commands.optimum_cli {GUIDE} --group-size-fallback adjust OUT"),
        (
            "openvino-fp16",
            SMOLLM2,
            f"{OPTIMUM} --weight-format fp16 --trust-remote-code OUT",
        ),
        (
            "openvino-npu-int4",
            FITS,
            f"{OPTIMUM} {NPU} --group-size 128 --trust-remote-code OUT",
        ),
        (
            "openvino-npu-int4",
            SMOLLM2,
            f"{OPTIMUM} {NPU} --group-size 128 --trust-remote-code --group-size-fallback adjust OUT",
        ),
        (
            "openvino-npu-int4-channel",
            SMOLLM2,
            f"{OPTIMUM} {NPU} --group-size -1 --trust-remote-code OUT",
        ),
        ("cpu-fp32", FITS, f"{BUILDER} -p fp32 -e cpu -c OUT/.cache"),
        ("cpu-int4", FITS, f"{BUILDER} -p int4 -e cpu -c OUT/.cache"),
        ("cuda-fp16", FITS, f"{BUILDER} -p fp16 -e cuda -c OUT/.cache"),
        ("cuda-int4", FITS, f"{BUILDER} -p int4 -e cuda -c OUT/.cache"),
        ("dml-fp16", FITS, f"{BUILDER} -p fp16 -e dml -c OUT/.cache"),
        (
            "dml-int4",
            FITS,
            f"{BUILDER} -p int4 -e dml -c OUT/.cache --extra_options shared_embeddings=false",
        ),
    ],
)
def test_command_line(kind: str, config: dict[str, int], expected: str) -> None:
    assert line(kind, config).replace("\\", "/") == expected


def test_the_guides_exports_are_there() -> None:
    assert set(EXPORTS) >= {"cpu-fp32", "cpu-int4", "dml-fp16", "dml-int4", "openvino-fp16", "openvino-int4"}


WIDTH = st.integers(1, 64).map(lambda n: n * 64)


@given(WIDTH, st.sampled_from([1, 2, 4, 9]), st.none() | WIDTH, WIDTH)
def test_group_size_fits_only_multiples_of_128(hidden: int, heads: int, head: int | None, inner: int) -> None:
    sizes = {"hidden_size": hidden * 9, "num_attention_heads": heads, "head_dim": head, "intermediate_size": inner}
    attention = heads * (head if head is not None else hidden * 9 // heads)
    assert group_size_fits(facts(**sizes, num_key_value_heads=heads)) == (
        hidden * 9 % 128 == 0 and attention % 128 == 0 and inner % 128 == 0
    )


@pytest.mark.parametrize(
    ("family", "kind", "able"),
    [
        ("llama", "default", True),
        ("llama", "llama3", True),
        ("llama", "linear", False),
        ("llama", "yarn", False),
        ("qwen2", "linear", True),
        ("qwen2", "llama3", False),
        ("phi3", "longrope", True),
        ("mistral", "longrope", False),
    ],
)
def test_a_scaling_that_the_builder_leaves_out_is_refused(family: str, kind: str, able: bool) -> None:
    plain = facts(family)
    scaled = msgspec.structs.replace(plain, rope=msgspec.structs.replace(plain.rope, kind=kind))
    EXPORTERS["openvino-fp16"].require_able(scaled)
    if able:
        EXPORTERS["cpu-int4"].require_able(scaled)
        return
    with pytest.raises(UnsupportedError, match=f"leaves out the {kind} scaling"):
        EXPORTERS["cpu-int4"].require_able(scaled)
