import threading
from collections.abc import Callable, Iterator

import pytest
from google.longrunning.operations_pb2 import Operation
from google.protobuf import struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition
from gpupipe.localcloud.kernel.faults import Fault, Kind
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.latency import OPERATIONS_S
from gpupipe.localcloud.kernel.operations import Operations, Progress
from gpupipe.localcloud.kernel.pace import METHOD

PARENT = "projects/demo-project/locations/us-central1"
NAME = f"{PARENT}/operations/one"
RESOURCE = f"{PARENT}/services/one"


def text(value: str) -> Message:
    return wrappers_pb2.StringValue(value=value)


def finished(kernel: Kernel, name: str = NAME) -> Operation:
    return kernel.operations.wait(name, 10)


def run(kernel: Kernel, work: Callable[[Progress], Message], name: str = NAME) -> Operation:
    return kernel.operations.run(name, metadata=text("m"), work=work, resource=RESOURCE)


def test_done_at_once(kernel: Kernel) -> None:
    made = kernel.operations.done(NAME, metadata=text("m"), response=text("r"))
    assert made.done
    assert kernel.operations.get(NAME) == made


def test_work_updates_its_metadata_and_ends_with_a_response(kernel: Kernel) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> Message:
        progress.update(text("half"))
        at_work.set()
        assert go_on.wait(10)
        return text("r")

    assert not run(kernel, work).done
    assert at_work.wait(10)
    value = wrappers_pb2.StringValue()
    assert kernel.operations.get(NAME).metadata.Unpack(value)
    assert value.value == "half"
    go_on.set()
    assert finished(kernel).response.Unpack(value)
    assert value.value == "r"


def test_a_refusal_is_the_error_of_the_operation(kernel: Kernel) -> None:
    def work(_: Progress) -> Message:
        raise failed_precondition("no")

    run(kernel, work)
    operation = finished(kernel)
    assert (operation.error.code, operation.error.message) == (9, "no")


def test_an_unforeseen_error_is_internal_and_says_nothing_of_itself(kernel: Kernel) -> None:
    def work(_: Progress) -> Message:
        raise KeyError("a secret")

    run(kernel, work)
    operation = finished(kernel)
    assert operation.error.code == Code.INTERNAL.number
    assert "secret" not in operation.error.message


def test_work_starts_after_the_commit_and_not_after_a_rollback(kernel: Kernel) -> None:
    started = threading.Event()

    def work(_: Progress) -> Message:
        started.set()
        return text("r")

    with pytest.raises(RuntimeError), kernel.database.transaction():  # noqa: PT012
        run(kernel, work)
        raise RuntimeError
    with kernel.database.transaction():
        run(kernel, work)
        assert not started.is_set()
    assert started.wait(10)


def test_cancel_is_seen_by_the_work(kernel: Kernel) -> None:
    def work(progress: Progress) -> Message:
        assert progress.wait_cancelled(10)
        raise ServiceError(Code.CANCELLED, "cancelled")

    run(kernel, work)
    kernel.operations.cancel(NAME)
    assert finished(kernel).error.code == Code.CANCELLED.number


def test_a_running_operation_is_not_deleted(kernel: Kernel) -> None:
    go_on = threading.Event()

    def work(_: Progress) -> Message:
        assert go_on.wait(10)
        return text("r")

    run(kernel, work)
    with pytest.raises(ServiceError) as refused:
        kernel.operations.delete(NAME)
    assert refused.value.code is Code.FAILED_PRECONDITION
    go_on.set()
    finished(kernel)
    kernel.operations.delete(NAME)
    with pytest.raises(ServiceError) as refused:
        kernel.operations.get(NAME)
    assert refused.value.code is Code.NOT_FOUND


def test_a_wait_ends_when_its_time_is_up(kernel: Kernel) -> None:
    go_on = threading.Event()

    def work(_: Progress) -> Message:
        assert go_on.wait(10)
        return text("r")

    run(kernel, work)
    assert not kernel.operations.wait(NAME, 0).done
    go_on.set()
    assert finished(kernel).done


def test_pages_are_in_the_order_of_names_and_only_below_the_parent(kernel: Kernel) -> None:
    for letter in "cab":
        kernel.operations.done(
            f"{PARENT}/operations/{letter}", metadata=text(""), response=text("")
        )
    kernel.operations.done("operations/elsewhere", metadata=text(""), response=text(""))
    first = kernel.operations.list(PARENT, size=2)
    rest = kernel.operations.list(PARENT, size=2, token=first.next_token)
    found = [o.name[-1] for o in (*first.operations, *rest.operations)]
    assert found == ["a", "b", "c"]
    assert rest.next_token == ""
    with pytest.raises(ServiceError):
        kernel.operations.list(PARENT, token="not a token")


def restart(kernel: Kernel) -> Operations:
    kernel.operations.stop()
    return Operations(kernel.database, kernel.clock, kernel.timers, kernel.pace)


def cut_off(progress: Progress) -> Message:
    progress.wait_cancelled(10)
    raise ServiceError(Code.CANCELLED, "cut off")


def test_what_was_cut_off_ends_as_aborted_after_a_restart(kernel: Kernel) -> None:
    run(kernel, cut_off)
    again = restart(kernel)
    again.recover()
    operation = again.wait(NAME, 10)
    assert operation.error.code == Code.ABORTED.number
    assert operation.error.message == "interrupted: the local cloud was restarted"
    again.stop()


@pytest.mark.parametrize("prefix", [PARENT, "google.protobuf.StringValue"])
def test_a_resumer_goes_on_with_it(kernel: Kernel, prefix: str) -> None:
    run(kernel, cut_off)
    again = restart(kernel)
    again.register_resumer(prefix, lambda operation: lambda _: text(f"resumed {operation.name}"))
    again.recover()
    value = wrappers_pb2.StringValue()
    assert again.wait(NAME, 10).response.Unpack(value)
    assert value.value == f"resumed {NAME}"
    again.stop()


def test_names_are_unique_over_all_apis(kernel: Kernel) -> None:
    kernel.operations.done(NAME, metadata=text(""), response=text(""))
    with pytest.raises(Exception, match="UNIQUE"):
        kernel.operations.done(NAME, metadata=struct_pb2.Value(), response=text(""))


@pytest.fixture
def called(kernel: Kernel) -> Iterator[str]:
    """A thread that is in a call of this method, as the transport has it."""
    before = METHOD.set("run.services.create")
    yield METHOD.get()
    METHOD.reset(before)
    kernel.timers.stop()


def at_once(_: Progress) -> Message:
    return text("r")


@pytest.mark.parametrize("done", [False, True])
def test_a_slow_operation_runs_until_its_time_has_come(
    kernel: Kernel, called: str, *, done: bool
) -> None:
    kernel.faults.inject(Fault(called, Kind.SLOW, seconds=30))
    if done:
        kernel.operations.done(NAME, metadata=text("m"), response=text("r"))
    else:
        run(kernel, at_once)
    kernel.clock.advance(29)
    assert not kernel.operations.wait(NAME, 0).done
    kernel.clock.advance(1)
    assert finished(kernel).HasField("response")
    run(kernel, at_once, f"{PARENT}/operations/two")
    assert finished(kernel, f"{PARENT}/operations/two").done


def test_latency_is_the_methods_typical_time_times_the_factor(kernel: Kernel, called: str) -> None:
    kernel.behaviour.latency_factor = 2
    run(kernel, at_once)
    kernel.clock.advance(2 * OPERATIONS_S[called] - 1)
    assert not kernel.operations.wait(NAME, 0).done
    kernel.clock.advance(1)
    assert finished(kernel).done


def test_many_slow_operations_hold_no_thread_of_those_that_work(
    kernel: Kernel, called: str
) -> None:
    kernel.faults.inject(Fault(called, Kind.SLOW, 100, seconds=30))
    for number in range(100):
        run(kernel, at_once, f"{PARENT}/operations/slow-{number}")
    run(kernel, at_once)
    assert finished(kernel).done


@pytest.mark.parametrize("done", [False, True])
def test_an_operation_fails_after_its_work(kernel: Kernel, called: str, *, done: bool) -> None:
    kernel.faults.inject(Fault(called, Kind.OPERATION, code=Code.INTERNAL))
    worked: list[int] = []

    def work(_: Progress) -> Message:
        worked.append(1)
        return text("r")

    if done:
        kernel.operations.done(NAME, metadata=text("m"), response=text("r"))
    else:
        run(kernel, work)
    assert finished(kernel).error.code == Code.INTERNAL.number
    assert worked == ([] if done else [1])


def test_one_that_waits_can_be_cancelled_at_once(kernel: Kernel, called: str) -> None:
    kernel.faults.inject(Fault(called, Kind.SLOW, seconds=30))
    run(kernel, cut_off)
    kernel.operations.cancel(NAME)
    assert finished(kernel).error.code == Code.CANCELLED.number


def test_one_that_waits_at_the_end_is_recovered(kernel: Kernel, called: str) -> None:
    kernel.faults.inject(Fault(called, Kind.SLOW, seconds=30))
    run(kernel, at_once)
    again = restart(kernel)
    again.register_resumer(PARENT, lambda _: at_once)
    again.recover()
    assert again.wait(NAME, 10).HasField("response")
    again.stop()
