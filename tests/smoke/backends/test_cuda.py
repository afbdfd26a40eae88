"""CUDA is offered where there is an NVIDIA driver, and nowhere else."""

import sys
from pathlib import Path

import pytest

from smoke.backends import cuda
from wheelhouse.errors import UnsupportedError


@pytest.fixture
def linux(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cuda, "LINUX_DEVICES", tmp_path / "gpus")
    monkeypatch.setattr(cuda.ctypes.util, "find_library", lambda _: None)
    return tmp_path / "gpus"


def test_linux_needs_a_device_of_the_driver(linux):
    assert "no NVIDIA GPU" in cuda.obstacle()
    linux.mkdir()
    assert "no NVIDIA GPU" in cuda.obstacle()
    (linux / "0000:01:00.0").mkdir()
    assert cuda.obstacle() == ""


def test_windows_needs_the_drivers_library(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    assert "nvcuda.dll" in cuda.obstacle()
    (tmp_path / "System32").mkdir()
    (tmp_path / "System32" / "nvcuda.dll").touch()
    assert cuda.obstacle() == ""


def test_without_a_device_nothing_is_installed(linux):
    status = cuda.CudaSource().status()
    assert not status.makeable
    assert "CUDA 13" in status.remedy
    with pytest.raises(UnsupportedError, match="no NVIDIA GPU"):
        cuda.CudaSource().prepare(())


def test_elsewhere_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux and Windows only" in cuda.obstacle()


def test_takes_its_own_wheels_only():
    source = cuda.CudaSource()
    assert source.takes(Path("onnxruntime_genai_cuda-0.18.0-cp311-cp311-manylinux_2_28_x86_64.whl"))
    assert not source.takes(Path("onnxruntime_genai-0.18.0-cp311-cp311-manylinux_2_28_x86_64.whl"))
