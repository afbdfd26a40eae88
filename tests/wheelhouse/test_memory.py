import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.parity.verdicts import Verdict, of_process
from wheelhouse import memory
from wheelhouse.errors import StepFailedError
from wheelhouse.process import Command, run

SUICIDE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel that has ended `count` processes for want of memory."""
    file = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "VMSTAT", file)

    def say(count):
        file.write_text(f"pgpgin 5\noom_kill {count}\nother 1\n", encoding="utf-8")

    say(3)
    return say


def test_the_kernels_count_is_read(kernel):
    assert memory.kills() == 3


def test_a_kernel_that_does_not_say_has_ended_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "VMSTAT", tmp_path / "absent")
    assert memory.kills() == 0


@given(st.integers(-64, 255))
def test_only_a_kill_is_explained(returncode):
    assert not memory.explains(returncode, memory.kills())
    assert memory.explains(returncode, -1) == (returncode in {-9, 137})


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals on Windows")
@pytest.mark.parametrize(("after", "explained"), [(3, False), (4, True)])
def test_a_kill_is_put_down_to_memory_when_the_kernel_says_so(kernel, tmp_path, after, explained):
    file = tmp_path / "vmstat"
    code = f"open({str(file)!r}, 'w').write('oom_kill {after}\\n'); {SUICIDE}"
    command = Command(argv=(sys.executable, "-c", code))
    done = run(command, log=tmp_path / "log", check=False)
    assert done.out_of_memory == explained
    judged = of_process(done, 1.0)
    assert judged is not None
    assert judged.verdict is Verdict.CRASHED
    assert ("no memory left" in judged.reason) == explained
    kernel(3)
    with pytest.raises(StepFailedError) as caught:
        run(command, log=tmp_path / "log")
    assert ("no memory left" in caught.value.message) == explained
    assert ("more memory" in caught.value.remedy) == explained
