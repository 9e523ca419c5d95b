import threading
from collections.abc import Callable

import pytest
from google.protobuf import struct_pb2, wrappers_pb2
from google.protobuf.message import Message
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.operations import Operation, Operations, Progress

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


def restart(kernel: Kernel, clock: FakeClock) -> Operations:
    kernel.operations.stop()
    return Operations(kernel.database, clock)


def cut_off(progress: Progress) -> Message:
    progress.wait_cancelled(10)
    raise ServiceError(Code.CANCELLED, "cut off")


def test_what_was_cut_off_ends_as_aborted_after_a_restart(kernel: Kernel, clock: FakeClock) -> None:
    run(kernel, cut_off)
    again = restart(kernel, clock)
    again.recover()
    operation = again.wait(NAME, 10)
    assert operation.error.code == Code.ABORTED.number
    assert operation.error.message == "interrupted: the local cloud was restarted"
    again.stop()


@pytest.mark.parametrize("prefix", [PARENT, "google.protobuf.StringValue"])
def test_a_resumer_goes_on_with_it(kernel: Kernel, clock: FakeClock, prefix: str) -> None:
    run(kernel, cut_off)
    again = restart(kernel, clock)
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
