"""kill -9 in the middle of writes: what was acknowledged is there, and nothing half is."""

import base64
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import httpx
import pytest

from gpupipe.core.clock import SystemClock
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo, is_alive

BUCKET = "crash-bucket"
OBJECTS = f"/storage/v1/b/{BUCKET}/o"
UPLOAD = f"/upload{OBJECTS}"
WRITERS = 6
KIB = 1024
CHUNK = 256 * KIB


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home" / "local"
    yield path
    daemon.stop(path)


def client_of(info: DaemonInfo) -> httpx.Client:
    headers = {"authorization": f"Bearer {info.token()}"}
    return httpx.Client(base_url=info.http, headers=headers, trust_env=False, timeout=60)


def kill(info: DaemonInfo) -> None:
    os.kill(info.pid, signal.SIGKILL)
    clock = SystemClock()
    while is_alive(info.token_file.parent):
        clock.sleep(0.01)


def make_bucket(info: DaemonInfo) -> None:
    body = {"name": BUCKET, "softDeletePolicy": {"retentionDurationSeconds": "0"}}
    with client_of(info) as http:
        http.post("/storage/v1/b?project=crash-project", json=body).raise_for_status()


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def data_of(name: str) -> bytes:
    """The bytes of an object follow from its name; sizes from nothing to many network packets."""
    source = random.Random(name)
    return source.randbytes(source.choice((0, 1, KIB, 70 * KIB, 700 * KIB)))


class Writers:
    """Threads that write until the daemon is gone, and note what it has acknowledged."""

    def __init__(self, info: DaemonInfo, round_number: int, *, enough: int) -> None:
        self._info = info
        self._round = round_number
        self._enough = enough
        self._guard = threading.Lock()
        self.reached = threading.Event()
        self.acknowledged: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        with client_of(self._info) as http:
            for count in range(10_000):
                if not self._one(http, f"{self._round}/{number}/{count}"):
                    return

    def _one(self, http: httpx.Client, name: str) -> bool:
        query = {"uploadType": "media", "name": name}
        try:
            answer = http.post(UPLOAD, params=query, content=data_of(name))
        except httpx.TransportError:
            return False
        assert answer.status_code == 200, answer.text
        with self._guard:
            self.acknowledged[name] = answer.json()["generation"]
            if len(self.acknowledged) >= self._enough:
                self.reached.set()
        return True


def stored(http: httpx.Client) -> dict[str, dict[str, str]]:
    """Every object by its name, from all pages of the list."""
    found: dict[str, dict[str, str]] = {}
    token = ""
    while True:
        page = http.get(OBJECTS, params={"pageToken": token, "maxResults": 100}).json()
        found |= {item["name"]: item for item in page.get("items", [])}
        token = page.get("nextPageToken", "")
        if not token:
            return found


def test_no_acknowledged_object_is_lost_and_no_half_one_is_seen(home: Path) -> None:
    info = daemon.ensure_running(home)
    make_bucket(info)
    acknowledged: dict[str, str] = {}
    for round_number in range(2):
        writers = Writers(info, round_number, enough=40)
        writers.start()
        assert writers.reached.wait(120)
        kill(info)
        writers.join()
        acknowledged |= writers.acknowledged
        info = daemon.ensure_running(home)
    with client_of(info) as http:
        found = stored(http)
        assert acknowledged.items() <= {n: o["generation"] for n, o in found.items()}.items()
        for name, item in found.items():
            data = http.get(f"/download{OBJECTS}/{name.replace('/', '%2F')}?alt=media").content
            assert data == data_of(name)
            assert item["crc32c"] == crc32c(data)
            assert int(item["size"]) == len(data)
    # one file of each object, and none of what was cut off
    assert len([path for path in (home / "objects").rglob("*") if path.is_file()]) == len(found)


def test_a_resumable_upload_goes_on_after_kill_9(home: Path) -> None:
    info = daemon.ensure_running(home)
    make_bucket(info)
    data = random.Random("resumable").randbytes(4 * CHUNK + 5)
    total = len(data)
    with client_of(info) as http:
        started = http.post(f"{UPLOAD}?uploadType=resumable", json={"name": "big"})
        session = httpx.URL(started.headers["location"]).raw_path.decode()
        put(http, session, data, 0, CHUNK)
    # the next chunk is on its way, and never ends: the daemon has a part of it
    arrived = threading.Event()

    def half() -> Iterator[bytes]:
        yield data[CHUNK : CHUNK + CHUNK // 2]
        arrived.set()
        ended.wait(60)
        yield data[CHUNK + CHUNK // 2 : 2 * CHUNK]

    ended = threading.Event()
    sender = threading.Thread(target=send_half, args=(info, session, half(), total))
    sender.start()
    assert arrived.wait(60)
    kill(info)
    ended.set()
    sender.join()
    info = daemon.ensure_running(home)
    with client_of(info) as http:
        assert http.get(f"{OBJECTS}/big").status_code == 404
        asked = http.put(session, headers={"content-range": f"bytes */{total}"})
        assert asked.status_code == 308
        begin = int(asked.headers["range"].removeprefix("bytes=0-")) + 1
        assert CHUNK <= begin < 2 * CHUNK
        rest = http.put(
            session,
            content=data[begin:],
            headers={"content-range": f"bytes {begin}-{total - 1}/{total}"},
        )
        assert rest.status_code == 200
        assert rest.json()["crc32c"] == crc32c(data)
        assert http.get(f"/download{OBJECTS}/big?alt=media").content == data
        # and a client that did not hear the answer hears it again
        again = http.put(session, headers={"content-range": f"bytes */{total}"})
        assert again.json()["generation"] == rest.json()["generation"]


def put(http: httpx.Client, session: str, data: bytes, start: int, end: int) -> None:
    answer = http.put(
        session,
        content=data[start:end],
        headers={"content-range": f"bytes {start}-{end - 1}/{len(data)}"},
    )
    assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{end - 1}")


def send_half(info: DaemonInfo, session: str, half: Iterator[bytes], total: int) -> None:
    with client_of(info) as http, pytest.raises(httpx.TransportError):
        http.put(
            session,
            content=half,
            headers={"content-range": f"bytes {CHUNK}-{2 * CHUNK - 1}/{total}"},
        )
