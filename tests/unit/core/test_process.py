"""Whether a process has ended: certain for one of here, never claimed of one from elsewhere."""

import subprocess
import sys
from dataclasses import replace

from gpupipe.core.process import ProcessId, has_ended, process_start, this_process


def here() -> ProcessId:
    found = this_process()
    assert found is not None
    return found


def test_this_process_has_not_ended() -> None:
    assert not has_ended(here())


def test_a_child_has_ended_when_it_has() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = process_start(child.pid)
        assert started is not None
        process = replace(here(), pid=child.pid, started=started)
        assert not has_ended(process)
        child.communicate(b"\n")
    assert has_ended(process)


def test_a_later_process_with_the_same_pid_is_another_one() -> None:
    assert has_ended(replace(here(), started=here().started - 1))


def test_nothing_is_claimed_of_another_machine() -> None:
    assert not has_ended(ProcessId("elsewhere", 2**22 + 1, 1))
