import threading
from datetime import timedelta

from tests.support.clock import FakeClock

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry

NAME = "projects/demo-project/logs/run.googleapis.com%2Fstdout"


def write(kernel: Kernel, payload: str, severity: str = "INFO") -> LogEntry:
    return kernel.logs.write(NAME, "cloud_run_revision", {"service_name": "one"}, severity, payload)


def test_an_entry_comes_back_as_it_was_written(kernel: Kernel, clock: FakeClock) -> None:
    written = kernel.logs.write(
        NAME,
        "build",
        {"build_id": "1"},
        "ERROR",
        {"message": "é", "n": 1},
        labels={"a": "b"},
        trace="projects/demo-project/traces/1",
    )
    assert kernel.logs.query("demo-project") == (written,)
    assert written.timestamp == clock.now()
    assert written.insert_id


def test_filters(kernel: Kernel, clock: FakeClock) -> None:
    write(kernel, "one")
    clock.advance(10)
    two = write(kernel, "two", "ERROR")
    query = kernel.logs.query
    assert query("demo-project", severity_at_least="WARNING") == (two,)
    assert query("demo-project", since=clock.now()) == (two,)
    assert [e.payload for e in query("demo-project", until=clock.now() - timedelta(seconds=1))] == [
        "one"
    ]
    assert query("demo-project", log_name="projects/demo-project/logs/other") == ()
    assert query("demo-project", resource_type="build") == ()
    assert query("other-project") == ()
    assert query("demo-project", where=lambda entry: entry.payload == "two") == (two,)
    assert [e.payload for e in query("demo-project", newest_first=True)] == ["two", "one"]
    assert [e.payload for e in query("demo-project", limit=1)] == ["one"]


def test_a_tail_goes_on_where_it_was(kernel: Kernel) -> None:
    write(kernel, "one")
    seen = kernel.logs.latest()
    assert not kernel.logs.wait(seen, 0)
    waited: list[bool] = []
    tail = threading.Thread(target=lambda: waited.append(kernel.logs.wait(seen, 10)))
    tail.start()
    write(kernel, "two")
    tail.join()
    assert waited == [True]
    assert [e.payload for e in kernel.logs.query("demo-project", after=seen)] == ["two"]
