"""Runs a model of one operator on a provider, once or with a buffer that is past and present at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from operator_graph import Built


class Provider(NamedTuple):
    """An execution provider: its name in jobs, ONNX Runtime's name for it, and that of the device its buffers are on.

    A `plugin` is not built in: it has to be registered before, and is asked for by its devices.
    """

    name: str
    execution_provider: str
    device: str
    plugin: bool = False
    options: Mapping[str, str] = {}


CPU = Provider("cpu", "CPUExecutionProvider", "cpu")
# Without a device id Python's onnxruntime asks DXCore, and falls back.
DML = Provider("dml", "DmlExecutionProvider", "dml", options={"device_id": "0"})
WEBGPU = Provider("webgpu", "WebGpuExecutionProvider", "webgpu", plugin=True)
CUDA = Provider("cuda", "CUDAExecutionProvider", "cuda")
PROVIDERS = {provider.name: provider for provider in (CPU, DML, WEBGPU, CUDA)}
LENGTH = "total_sequence_length"
"""Attention's input that says how much of its caches is filled."""

Results = dict[str, Any]


def run_once(built: Built, provider: Provider, *, profile: str = "") -> Results:
    """Run a model once; return its outputs by name. With `profile`, ONNX Runtime's profile goes to that path.

    Except on the CPU provider itself, the session refuses the CPU.
    """
    session = open_session(built.model, provider, profile=profile)
    if built.buffers:
        found = run_in_buffers(session, (built.before, built.feeds), built.buffers, provider.device)
    else:
        found = dict(zip(_outputs(session), session.run(None, dict(built.feeds)), strict=True))
    if profile:
        session.end_profiling()
    return _filled(built.feeds, found)


def open_session(model: bytes, provider: Provider, *, profile: str = "", data: str = "", alone: bool = True) -> Any:
    """Return a session over a model; `data` is the folder of its weights.

    Unless `alone`, the CPU may take what the provider leaves to it.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what fails is in the exception as well
    if data:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", data)
    if provider is not CPU and alone:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    if provider is DML:
        options.enable_mem_pattern = False  # DirectML requires both
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    chosen: Any = [(provider.execution_provider, dict(provider.options))]
    if provider.plugin:
        devices = [device for device in ort.get_ep_devices() if device.ep_name == provider.execution_provider]
        options.add_provider_for_devices(devices, dict(provider.options))
        chosen = None
    # Python's onnxruntime would try again on the CPU, and only print that it did.
    return ort.InferenceSession(model, options, providers=chosen, enable_fallback=0)


def _outputs(session: Any) -> list[str]:
    return [output.name for output in session.get_outputs()]


def present_of(past: str) -> str:
    """Return the name of the output that belongs to one of attention's caches: `past_key`, `past_key_values.0.key`."""
    return past.replace("past_key_values.", "present.") if "." in past else past.replace("past_", "present_")


def run_in_buffers(
    session: Any,
    runs: Sequence[Mapping[str, Any] | None],
    content: Mapping[str, Any],
    device: str,
    wanted: Sequence[str] | None = None,
) -> Results:
    """Run with buffers on `device` that are an input and an output at the same time, as GenAI does; return the outputs.

    Of outputs only those in `wanted` where that is given. The buffers hold what the case says: attention on DirectML
    reads also the room that nobody has filled.
    """
    import onnxruntime as ort

    buffers = {present_of(name): ort.OrtValue.ortvalue_from_numpy(array, device, 0) for name, array in content.items()}
    pasts = {present_of(name): name for name in content}
    others = [name for name in _outputs(session) if name not in buffers and (wanted is None or name in wanted)]
    for feeds in runs:
        if not feeds:
            continue
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name, buffer in buffers.items():
            binding.bind_ortvalue_input(pasts[name], buffer)
            binding.bind_ortvalue_output(name, buffer)
        for name in others:
            binding.bind_output(name, "cpu")
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
    return dict(zip([*buffers, *others], binding.copy_outputs_to_cpu(), strict=True))


def _filled(feeds: Mapping[str, Any], found: Results) -> Results:
    """Return the outputs, of attention's caches only the part that has been filled: the room behind it is nobody's."""
    if LENGTH not in feeds:
        return found
    length = int(feeds[LENGTH])
    return {name: array[:, :, :length] if name.startswith("present_") else array for name, array in found.items()}


def error_of(ours: Results, right: Results) -> tuple[float, str]:
    """Return the largest error, as a part of the largest right value of its output, and that output's name.

    It is infinite for another shape, or where one is a number and the other is not.
    """
    return max(((_error(ours[name], array), name) for name, array in right.items()), key=lambda pair: pair[0])


def _error(ours: Any, right: Any) -> float:
    a, b = ours.astype(np.float64), right.astype(np.float64)
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    where = np.isfinite(b)
    scale = float(np.abs(b[where]).max(initial=0.0)) or 1.0
    return float(np.abs(a[where] - b[where]).max(initial=0.0)) / scale
