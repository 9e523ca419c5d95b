"""A kernel over a folder of the test, on a clock that stands still, without sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.settings import Settings
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kernel(tmp_path: Path, clock: FakeClock) -> Iterator[Kernel]:
    built = build_kernel(Settings(tmp_path / "cloud"), clock)
    built.http = built.identity.issuer = "http://127.0.0.1:1"
    built.projects.ensure("demo-project")
    yield built
    built.operations.stop()
    built.database.close()
    built.log_database.close()
