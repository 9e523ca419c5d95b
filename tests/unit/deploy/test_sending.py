"""Files are sent while others are followed; one that cannot be sent is told, and the rest goes on."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.clock import START, FakeClock

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.storage import Object
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.follow import Follower, Outcome, Sent
from gpupipe.deploy.sending import Sender, send, send_and_follow
from gpupipe.deploy.uploads import Upload

MANY = 60
"""More than what is looked at execution by execution."""


class Pipeline:
    """A cloud in which each upload starts an execution that ends at once, but for those of `slow`."""

    def __init__(self, fails: Callable[[str], bool] = lambda _: False, slow: str = "none") -> None:
        self._fails = fails
        self._slow = slow
        self.executions: list[Execution] = []
        self.looks: list[str] = []
        self.read = 0

    def upload(self, bucket: str, name: str, _: Path, **__: object) -> Object:
        if self._fails(name):
            raise GpupipeError("Uploading failed.", details="403", resolution="-", doc="-")
        moment = START + timedelta(seconds=len(self.executions))
        argument = {"input_file": name, "bucket": bucket, "generation": "7"}
        state = "ACTIVE" if self._slow in name else "SUCCEEDED"
        result = {"status": "success", "output_file": f"results/{name}.7.json"}
        ended = None if state == "ACTIVE" else moment
        self.executions.append(
            Execution(f"w/executions/{name}", state, moment, ended, argument, result, None, "")
        )
        return Object(bucket, name, 7, 1, moment)

    def since(self, *_: object) -> Iterator[Execution]:
        self.looks.append("all")
        return iter(self.executions[::-1])

    def ended_since(self, _: str, moment: Any) -> Iterator[Execution]:
        found = [one for one in self.executions if one.ended and one.ended >= moment]
        self.looks.append("ended")
        self.read += len(found)
        return iter(found)

    @property
    def cloud(self) -> Cloud:
        content = b'{"items": [{"label": "positive", "score": 0.9}]}'
        fake: Any = SimpleNamespace(
            storage=SimpleNamespace(upload=self.upload, read=lambda *_: content),
            executions=SimpleNamespace(since=self.since, ended_since=self.ended_since),
            caller=SimpleNamespace(hurry=1.0),
        )
        return cast("Cloud", fake)


@pytest.fixture
def files(tmp_path: Path) -> list[Upload]:
    found = [Upload(tmp_path / f"f{number:03}.txt", tmp_path) for number in range(MANY)]
    for one in found:
        one.path.write_text("hello")
    return found


def followed(pipeline: Pipeline, files: list[Upload], keep: Any = None) -> list[Sent | Outcome]:
    clock, cloud = FakeClock(), pipeline.cloud
    with (
        Sender(cloud, "in", files, clock) as sender,
        Follower(cloud, "w", "out", keep) as follower,
    ):
        return list(send_and_follow(sender, follower, cloud, clock, patience_s=20))


def states(found: list[Sent | Outcome]) -> dict[str, str]:
    return {one.sent.object.name: one.state for one in found if isinstance(one, Outcome)}


def test_each_file_is_told_when_it_is_sent_and_has_one_outcome(files: list[Upload]) -> None:
    kept: list[tuple[str, str]] = []
    found = followed(Pipeline(), files, lambda name, output, _: kept.append((name, output)))
    assert len(found) == 2 * MANY
    assert states(found) == {one.name: "succeeded" for one in files}
    assert sorted(kept) == [(one.name, f"results/{one.name}.7.json") for one in files]


def test_of_many_files_only_what_ended_lately_is_read_again(files: list[Upload]) -> None:
    pipeline = Pipeline(slow="f00")
    clock, cloud = FakeClock(), pipeline.cloud
    with Sender(cloud, "in", files, clock) as sender:
        sent = [one for one in send(sender, cloud, clock) if isinstance(one, Sent)]
    with Follower(cloud, "w", "out") as follower:
        for one in sent:
            follower.add(one)
        assert len(list(follower.look())) == MANY - 10
        assert (pipeline.looks, pipeline.read) == (["ended"], MANY - 10)
        # Ten are left: of so few also what has not ended is looked at.
        assert not list(follower.look())
        assert pipeline.looks[-1] == "all"
        assert follower.begun
        left = list(follower.give_up("5 s"))
    assert {one.state for one in left} == {"waiting"}
    assert all(one.execution for one in left)
    assert left[0].reason.startswith("no result after 5 s: execution f00")


def test_many_that_never_end_are_given_up_with_what_is_known(files: list[Upload]) -> None:
    found = followed(Pipeline(slow=".txt"), files)
    assert set(states(found).values()) == {"waiting"}
    assert {one.execution for one in found if isinstance(one, Outcome)} == {
        one.name for one in files
    }


def test_what_cannot_be_sent_is_an_outcome_and_the_rest_goes_on(files: list[Upload]) -> None:
    files[40].path.unlink()
    found = followed(Pipeline(fails=lambda name: name == "f030.txt"), files)
    told = {one.sent.object.name: one for one in found if isinstance(one, Outcome)}
    assert len(told) == MANY
    assert {name for name, one in told.items() if one.state == "unsent"} == {"f030.txt", "f040.txt"}
    assert told["f030.txt"].reason == "Uploading failed. 403"
    assert "cannot be read any more" in told["f040.txt"].reason


def test_where_nothing_can_be_sent_the_first_error_ends_it(files: list[Upload]) -> None:
    with pytest.raises(GpupipeError, match=r"Uploading failed\."):
        followed(Pipeline(fails=lambda _: True), files)


def test_an_error_that_is_not_ours_is_not_hidden(files: list[Upload]) -> None:
    def breaks(name: str) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        followed(Pipeline(fails=breaks), files)
