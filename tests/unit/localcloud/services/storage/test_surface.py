"""The surface over a real kernel, in memory: time, crashes, full disks, events."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx
import pytest
from starlette.applications import Starlette

from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.faults import Fault, Kind
from gpupipe.localcloud.kernel.kernel import build_kernel
from gpupipe.localcloud.services.storage.blobs import Disk, RealDisk
from gpupipe.localcloud.services.storage.surface import Storage
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.request_log import RequestLog

BASE = "/storage/v1/b/bkt"
UPLOAD = "/upload/storage/v1/b/bkt/o"


class MovedClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 20, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class FullDisk(RealDisk):
    """Fails as a full disk does, while `full`; `writes` are let through first."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def write(self, file: BinaryIO, data: bytes) -> None:
        if self.full:
            file.write(data[:1])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(file, data)


class InMemory:
    """Calls an application without a socket."""

    def __init__(self, app: Starlette, token: str) -> None:
        self._app = app
        self._headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, verb: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._call(verb, path, options))

    async def _call(self, verb: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers=self._headers
        ) as client:
            return await client.request(verb, path, **options)


class World:
    """One storage surface on a folder; `restart` builds the next one without closing anything."""

    def __init__(self, home: Path, clock: MovedClock, disk: Disk | None) -> None:
        self.home, self.clock, self.disk = home, clock, disk
        self.events: list[dict[str, Any]] = []
        settings = Settings(home)
        self.kernel = build_kernel(settings, clock)
        self.database = self.kernel.database
        self.recorder: Callable[[dict[str, Any]], None] = self.events.append
        self.kernel.events.register(lambda _, event: self.recorder(event), lambda: None)
        self.kernel.http = "http://testserver"
        self.log = RequestLog(self.kernel.log_database)
        self.kernel.projects.ensure("some-project")
        self.storage = Storage(self.kernel, Pipeline(self.kernel, self.log), disk)
        app = Starlette(routes=list(self.storage.routes()))
        self.call = InMemory(app, self.kernel.identity.operator_token)

    def close(self) -> None:
        self.storage.stop()
        self.kernel.log_database.close()
        self.database.close()

    def restart(self) -> "World":
        """What a new process finds after kill -9."""
        return World(self.home, self.clock, self.disk)

    def put(self, name: str, data: bytes = b"data", **query: str) -> httpx.Response:
        return self.call(
            "POST", UPLOAD, params={"uploadType": "media", "name": name, **query}, content=data
        )

    def names(self, **query: str) -> list[str]:
        items = self.call("GET", f"{BASE}/o", params=query).json().get("items", [])
        return [item["name"] for item in items]

    def files(self) -> int:
        return sum(path.is_file() for path in (self.home / "objects").rglob("*"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, MovedClock(), FullDisk())
    body = {"name": "bkt", "softDeletePolicy": {"retentionDurationSeconds": "0"}}
    answer = world.call("POST", "/storage/v1/b", params={"project": "some-project"}, json=body)
    assert answer.status_code == 200, answer.text
    yield world
    world.close()


def set_rules(world: World, *rules: dict[str, Any]) -> None:
    body = {"lifecycle": {"rule": list(rules)}, "versioning": {"enabled": True}}
    assert world.call("PATCH", BASE, json=body).status_code == 200


@pytest.mark.promise(108)
def test_lifecycle_removes_what_is_due_and_nothing_else(world: World) -> None:
    set_rules(
        world,
        {"action": {"type": "Delete"}, "condition": {"age": 2, "matchesPrefix": ["chunks/"]}},
        {"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 1}},
    )
    for name in ("chunks/1", "keep"):
        world.put(name)
    assert world.storage.sweeper.sweep(world.clock.now() + timedelta(days=1, hours=23)) == 0
    world.clock.time += timedelta(days=2)
    assert world.storage.sweeper.sweep(world.clock.now()) == 1
    assert world.names() == ["keep"]
    assert world.names(versions="true") == ["chunks/1", "keep"]
    world.storage.sweeper.sweep(world.clock.now() + timedelta(days=1))
    assert world.names(versions="true") == ["keep"]
    assert world.files() == 1


def test_lifecycle_keeps_the_newest_versions(world: World) -> None:
    set_rules(world, {"action": {"type": "Delete"}, "condition": {"numNewerVersions": 2}})
    for _ in range(4):
        world.put("o")
    world.storage.sweeper.sweep(world.clock.now())
    assert world.names(versions="true") == ["o", "o"]


def test_lifecycle_leaves_what_is_held(world: World) -> None:
    set_rules(world, {"action": {"type": "Delete"}, "condition": {"age": 0}})
    world.put("o")
    world.call("PATCH", f"{BASE}/o/o", json={"temporaryHold": True})
    assert world.storage.sweeper.sweep(world.clock.now()) == 0


def test_lifecycle_changes_the_storage_class(world: World) -> None:
    colder = {"type": "SetStorageClass", "storageClass": "NEARLINE"}
    set_rules(world, {"action": colder, "condition": {"age": 30}})
    world.put("o")
    for expected in (1, 0):
        assert world.storage.sweeper.sweep(world.clock.now() + timedelta(days=30)) == expected
    assert world.call("GET", f"{BASE}/o/o").json()["storageClass"] == "NEARLINE"


def test_soft_delete_ends_with_its_time(world: World) -> None:
    world.call("PATCH", BASE, json={"softDeletePolicy": {"retentionDurationSeconds": "604800"}})
    world.put("o")
    world.call("DELETE", f"{BASE}/o/o")
    assert world.names(softDeleted="true") == ["o"]
    world.storage.sweeper.sweep(world.clock.now() + timedelta(days=8))
    assert world.names(softDeleted="true") == []
    assert world.files() == 0


@pytest.mark.promise(137)
def test_deleting_a_bucket_takes_its_soft_deleted_objects_along(world: World) -> None:
    world.call("PATCH", BASE, json={"softDeletePolicy": {"retentionDurationSeconds": "604800"}})
    world.put("o")
    world.call("DELETE", f"{BASE}/o/o")
    assert world.call("DELETE", BASE).status_code == 204
    assert world.files() == 0


def test_each_new_object_is_one_event_that_is_complete(world: World) -> None:
    world.put("a/b")
    world.put("a/b")
    first, deleted, second = world.events
    assert (first["type"], deleted["type"]) == (
        "google.cloud.storage.object.v1.finalized",
        "google.cloud.storage.object.v1.deleted",
    )
    assert first["id"] != second["id"]
    assert (first["bucket"], first["subject"]) == ("bkt", "objects/a/b")
    assert first["source"] == "//storage.googleapis.com/projects/_/buckets/bkt"
    data = second["data"]
    assert (data["name"], data["bucket"], data["size"]) == ("a/b", "bkt", "4")
    assert data["generation"] == world.call("GET", f"{BASE}/o/a%2Fb").json()["generation"]


def test_an_object_whose_event_cannot_be_recorded_is_not_stored(world: World) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise OSError(event["id"])

    world.recorder = refuse
    with pytest.raises(OSError, match=r"^\d+$"):
        world.put("o")
    assert world.names() == []
    assert world.files() == 0


def test_a_full_disk_is_said_and_leaves_nothing(world: World) -> None:
    disk = cast("FullDisk", world.disk)
    disk.full = True
    answer = world.put("o")
    assert (answer.status_code, world.files(), world.events) == (507, 0, [])
    assert "No space is left" in answer.json()["error"]["message"]
    disk.full = False
    assert world.put("o").status_code == 200


def start_session(world: World, name: str) -> str:
    query = {"uploadType": "resumable", "name": name}
    return str(world.call("POST", UPLOAD, params=query).headers["location"])


def chunk(world: World, session: str, data: bytes, content_range: str) -> httpx.Response:
    headers = {"Content-Range": content_range}
    return world.call("PUT", session, content=data, headers=headers)


def test_a_resumable_upload_goes_on_after_a_full_disk(world: World) -> None:
    data = bytes(range(256)) * 1024
    session = start_session(world, "o")
    disk = cast("FullDisk", world.disk)
    disk.full = True
    assert chunk(world, session, data, f"bytes 0-{len(data) - 1}/*").status_code == 507
    disk.full = False
    assert "range" not in chunk(world, session, b"", "bytes */*").headers
    done = chunk(world, session, data, f"bytes 0-{len(data) - 1}/{len(data)}")
    assert done.status_code == 200
    assert world.call("GET", f"{BASE}/o/o", params={"alt": "media"}).content == data


def test_after_a_crash_objects_and_sessions_are_there_and_orphans_are_not(world: World) -> None:
    data = bytes(range(256)) * 1024
    stored = world.put("o").json()
    session = start_session(world, "resumed")
    chunk(world, session, data, f"bytes 0-{len(data) - 1}/*")
    orphan = world.home / "objects" / "blobs" / "00" / "orphan"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    again = world.restart()
    assert not orphan.exists()
    assert again.call("GET", f"{BASE}/o/o").json() == stored
    answer = chunk(again, session, b"", "bytes */*")
    assert answer.headers["range"] == f"bytes=0-{len(data) - 1}"
    done = chunk(again, session, b"end", f"bytes {len(data)}-{len(data) + 2}/{len(data) + 3}")
    assert done.json()["size"] == str(len(data) + 3)
    content = again.call("GET", f"{BASE}/o/resumed", params={"alt": "media"}).content
    assert content == data + b"end"
    again.close()


def test_a_session_ends_after_a_week(world: World) -> None:
    session = start_session(world, "o")
    chunk(world, session, b"x" * 262144, "bytes 0-262143/*")
    world.clock.time += timedelta(days=7, seconds=1)
    world.storage.sweeper.sweep(world.clock.now())
    assert chunk(world, session, b"", "bytes */*").status_code == 404
    assert world.files() == 0


def test_a_bucket_name_is_shared_by_all_projects(world: World) -> None:
    world.kernel.projects.ensure("other-project")
    answer = world.call(
        "POST", "/storage/v1/b", params={"project": "other-project"}, json={"name": "bkt"}
    )
    assert answer.status_code == 409
    assert "not available" in answer.json()["error"]["message"]


def test_the_error_body_has_the_form_of_the_json_api(world: World) -> None:
    answer = world.call("GET", f"{BASE}/o/nothing")
    message = "No such object: bkt/nothing"
    assert (answer.status_code, answer.json()) == (
        404,
        {
            "error": {
                "code": 404,
                "message": message,
                "errors": [{"message": message, "domain": "global", "reason": "notFound"}],
            }
        },
    )


def test_the_disk_is_full_when_the_control_surface_says_so(world: World) -> None:
    again = World(world.home, world.clock, None)
    again.kernel.faults.inject(
        Fault("storage.disk.write", Kind.ERROR, code=Code.RESOURCE_EXHAUSTED)
    )
    assert [again.put("o").status_code for _ in range(2)] == [507, 200]
    again.close()


def test_a_disabled_api_is_refused_with_its_name(world: World) -> None:
    world.kernel.projects.set_enabled("some-project", "storage.googleapis.com", enabled=False)
    answer = world.call("GET", BASE)
    assert answer.status_code == 403
    assert "storage.googleapis.com API has not been used" in answer.json()["error"]["message"]


def test_every_call_is_in_the_request_log_with_what_it_was(world: World) -> None:
    world.put("o")
    world.call("GET", f"{BASE}/o/nothing")
    rows = world.kernel.log_database.read().execute(
        "SELECT method, caller, resource, code, writes FROM requests ORDER BY seq DESC LIMIT 2"
    )
    bucket = "projects/_/buckets/bkt"
    assert [tuple(row) for row in rows.fetchall()] == [
        ("storage.objects.get", OPERATOR.member, bucket, "NOT_FOUND", 0),
        ("storage.objects.insert", OPERATOR.member, bucket, "OK", 1),
    ]


def test_a_lost_answer_leaves_the_work_done(world: World) -> None:
    fault = Fault("storage.objects.get", Kind.LOST, code=Code.UNAVAILABLE)
    world.put("o")
    world.kernel.faults.inject(fault)
    media = {"alt": "media"}
    answers = [world.call("GET", f"{BASE}/o/o", params=media) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]


def test_a_reset_removes_all_data(world: World) -> None:
    world.put("o")
    start_session(world, "p")
    world.storage.reset()
    assert world.files() == 0


@pytest.mark.parametrize(
    "body",
    [
        {"versioning": "on"},
        {"lifecycle": {"rule": ["x"]}},
        {"labels": ["x"]},
        {"storageClass": "HOT"},
        {"softDeletePolicy": {"retentionDurationSeconds": "soon"}},
        {"surprise": 1},
    ],
)
def test_a_bucket_field_that_makes_no_sense_is_400(world: World, body: dict[str, Any]) -> None:
    assert world.call("PATCH", BASE, json=body).status_code == 400


def test_a_content_type_that_is_removed_falls_back(world: World) -> None:
    world.put("o")
    for body in ({"contentType": None}, {"metadata": {"a": "b"}}):
        answer = world.call("PATCH", f"{BASE}/o/o", json=body)
        assert answer.json()["contentType"] == "application/octet-stream"


def patch_bucket(world: World, **body: Any) -> httpx.Response:
    return world.call("PATCH", BASE, json=body)


def test_uniform_access_can_be_switched_off_for_90_days(world: World) -> None:
    def uniform(enabled: bool) -> httpx.Response:
        setting = {"uniformBucketLevelAccess": {"enabled": enabled}}
        return patch_bucket(world, iamConfiguration=setting)

    uniform(True)
    world.clock.time += timedelta(days=89)
    assert uniform(False).status_code == 200
    uniform(True)
    world.clock.time += timedelta(days=89)
    patch_bucket(world, labels={"a": "b"})
    world.clock.time += timedelta(days=2)
    refused = uniform(False)
    assert refused.status_code == 412
    assert world.call("GET", BASE).json()["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]


def test_the_end_of_an_event_based_hold_begins_the_retention(world: World) -> None:
    world.put("o")
    patch_bucket(world, retentionPolicy={"retentionPeriod": "3600"})
    address = f"{BASE}/o/o"
    assert world.call("GET", address).json()["retentionExpirationTime"] == (
        "2026-05-20T13:00:00.000Z"
    )
    world.call("PATCH", address, json={"eventBasedHold": True})
    assert "retentionExpirationTime" not in world.call("GET", address).json()
    world.clock.time += timedelta(hours=2)
    assert world.call("DELETE", address).json()["error"]["errors"][0]["reason"] == (
        "objectUnderActiveHold"
    )
    world.call("PATCH", address, json={"eventBasedHold": False})
    found = world.call("GET", address).json()
    assert found["retentionExpirationTime"] == "2026-05-20T15:00:00.000Z"
    assert not any(name.startswith("_") for name in found)
    assert world.call("DELETE", address).status_code == 403
    patch_bucket(world, retentionPolicy={"retentionPeriod": "7200"})
    world.clock.time += timedelta(minutes=90)
    assert world.call("DELETE", address).status_code == 403
    patch_bucket(world, retentionPolicy=None)
    assert world.call("DELETE", address).status_code == 204


def test_a_rewrite_in_steps(world: World) -> None:
    world.put("o", b"x" * (5 << 19))
    address = f"{BASE}/o/o/rewriteTo/b/bkt/o/copy"

    def step(**query: str) -> dict[str, Any]:
        body = {"storageClass": "NEARLINE"}
        found: dict[str, Any] = world.call("POST", address, params=query, json=body).json()
        return found

    answer = step(maxBytesRewrittenPerCall=str(1 << 20))
    assert (answer["done"], answer["totalBytesRewritten"]) == (False, str(1 << 20))
    assert "copy" not in world.names()
    answer = step(maxBytesRewrittenPerCall=str(1 << 20), rewriteToken=answer["rewriteToken"])
    assert (answer["done"], answer["totalBytesRewritten"]) == (False, str(2 << 20))
    answer = step(maxBytesRewrittenPerCall=str(1 << 20), rewriteToken=answer["rewriteToken"])
    assert (answer["done"], answer["resource"]["storageClass"]) == (True, "NEARLINE")
    stale = step(maxBytesRewrittenPerCall=str(1 << 20))["rewriteToken"]
    world.put("o", b"other")
    assert step(rewriteToken=stale)["error"]["code"] == 400


def test_lifecycle_by_custom_time(world: World) -> None:
    lifecycle_rule = {"action": {"type": "Delete"}, "condition": {"daysSinceCustomTime": 2}}
    patch_bucket(world, lifecycle={"rule": [lifecycle_rule]})
    for name in ("with", "without"):
        world.put(name)
    world.call("PATCH", f"{BASE}/o/with", json={"customTime": "2026-05-19T12:00:00Z"})
    world.storage.sweeper.sweep(world.clock.time + timedelta(hours=23))
    assert world.names() == ["with", "without"]
    world.storage.sweeper.sweep(world.clock.time + timedelta(hours=25))
    assert world.names() == ["without"]


BATCH = "/batch/storage/v1"
MIXED = {"Content-Type": "multipart/mixed; boundary=b"}


def part(line: str) -> str:
    return f"--b\r\nContent-Type: application/http\r\nContent-ID: <x+1>\r\n\r\n{line}\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("nothing", "multipart/mixed"),
        (part("hello"), "request line"),
        (part("GET /upload/storage/v1/b HTTP/1.1"), "in a batch"),
        (part(f"GET {BASE}/o/o?alt=media HTTP/1.1"), "in a batch"),
        (part(f"GET {BASE}/o/o HTTP/1.1") * 101, "at most 100"),
    ],
)
def test_a_batch_that_is_refused_as_a_whole(world: World, body: str, text: str) -> None:
    answer = world.call("POST", BATCH, content=f"{body}--b--\r\n".encode(), headers=MIXED)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


def test_a_batch_answers_each_call_by_its_id_and_needs_a_token(world: World) -> None:
    world.put("o")
    body = f"{part(f'GET {BASE}/o/o HTTP/1.1')}{part(f'GET {BASE}/o/none HTTP/1.1')}--b--\r\n"
    answer = world.call("POST", BATCH, content=body.encode(), headers=MIXED)
    assert answer.text.count("Content-ID: <response-x+1>") == 2
    assert [line for line in answer.text.splitlines() if line.startswith("HTTP/")] == [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 404 Not Found",
    ]
    anonymous = {**MIXED, "Authorization": ""}
    answer = world.call("POST", BATCH, content=body.encode(), headers=anonymous)
    assert answer.text.count("HTTP/1.1 401") == 2
