"""Resumable uploads: start, chunks, questions about progress, cancel; they survive a restart."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import fields
from gpupipe.localcloud.services.storage.blobs import Blobs, read_chunks
from gpupipe.localcloud.services.storage.checksums import Hasher, sent, verify
from gpupipe.localcloud.services.storage.insert import new_object
from gpupipe.localcloud.services.storage.message import Inbound, Reply
from gpupipe.localcloud.services.storage.numbers import int64
from gpupipe.localcloud.services.storage.ranges import Chunk, content_range
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request, no_object
from gpupipe.localcloud.services.storage.rows import Rows
from gpupipe.localcloud.services.storage.sessions import Session, Sessions
from gpupipe.localcloud.services.storage.writes import Writer

# docs: every chunk but the last is a multiple of this
CHUNK_UNIT = 256 * 1024


@dataclass(slots=True)
class _Progress:
    """What is known in this process of a session's data; rebuilt from the part after a restart."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    hasher: Hasher | None = None


class Resumable:
    """Uploads in many requests."""

    def __init__(
        self, kernel: Kernel, rows: Rows, writer: Writer, blobs: Blobs, sessions: Sessions
    ) -> None:
        self._kernel = kernel
        self._rows = rows
        self._writer = writer
        self._blobs = blobs
        self._sessions = sessions
        self._guard = threading.Lock()
        self._progress: dict[str, _Progress] = {}

    def start(self, request: Inbound) -> Reply:
        """Open a session; its address is in Location."""
        metadata = request.json()
        new = new_object(request, metadata, request.headers.get("x-upload-content-type"))
        self._writer.check(new)
        length = request.headers.get("x-upload-content-length")
        session = self._sessions.create(
            new,
            sent(metadata, request.headers),
            int64(length) if length else None,
            self._kernel.clock.now(),
        )
        where = f"{request.base}/upload/storage/v1/b/{new.bucket}/o"
        location = f"{where}?uploadType=resumable&upload_id={session.id}"
        return Reply(headers={"Location": location, "X-GUploader-UploadID": session.id})

    def put(self, request: Inbound) -> Reply:
        """Take a chunk, or tell how far the session is."""
        with self._session(request) as (session, progress):
            if session.generation is not None:
                return self._answer(request, session, session.generation)
            chunk = content_range(request.headers.get("content-range"))
            hasher = self._hasher(session, progress)
            if chunk.start is not None:
                self._receive(request, session, chunk, hasher)
            total = _total(session, chunk, hasher.size)
            if total is None or hasher.size < total:
                return _incomplete(hasher.size)
            if hasher.size > total:
                self._drop(session.id)
                raise bad_request(f"More than the announced {total} bytes were sent.")
            return self._finish(request, session, hasher)

    def cancel(self, request: Inbound) -> Reply:
        """End a session and drop its data."""
        with self._session(request) as (session, _):
            self._drop(session.id)
        return Reply(status=499)

    def expire(self) -> None:
        """Drop the sessions that nobody will continue."""
        for session_id in self._sessions.expired(self._kernel.clock.now()):
            self._drop(session_id)

    def reset(self) -> None:
        """Forget what is known of sessions in memory."""
        with self._guard:
            self._progress.clear()

    @contextmanager
    def _session(self, request: Inbound) -> Iterator[tuple[Session, _Progress]]:
        session_id = request.query.get("upload_id", "")
        with self._guard:
            progress = self._progress.setdefault(session_id, _Progress())
        try:
            with progress.lock:
                session = self._sessions.get(session_id)
                if session is None or session.new.bucket != request.bucket:
                    raise StorageError(404, "notFound", "No such upload session.")
                if session.new.caller != request.caller:
                    raise StorageError(404, "notFound", "No such upload session.")
                yield session, progress
        finally:
            known = self._sessions.get(session_id)
            if known is None or known.generation is not None:
                with self._guard:
                    self._progress.pop(session_id, None)

    def _hasher(self, session: Session, progress: _Progress) -> Hasher:
        if progress.hasher is None:
            progress.hasher = Hasher()
            path = self._blobs.part_path(session.id)
            if path.exists():
                with path.open("rb") as file:
                    for data in read_chunks(file):
                        progress.hasher.update(data)
        return progress.hasher

    def _receive(self, request: Inbound, session: Session, chunk: Chunk, hasher: Hasher) -> None:
        start = chunk.start or 0
        if start > hasher.size:
            raise StorageError(
                400,
                "invalid",
                f"The upload offset is {start} byte(s), which exceeds the {hasher.size} byte(s) "
                "that are stored.",
            )
        end = None if chunk.length is None else start + chunk.length
        last = end is not None and end in {chunk.total, session.total}
        if chunk.length and not last and chunk.length % CHUNK_UNIT:
            raise bad_request(
                f"A chunk that is not the last must be a multiple of {CHUNK_UNIT} bytes, "
                f"but got {chunk.length}."
            )
        data = _bounded(_skip(request.body, hasher.size - start), end, hasher)
        self._blobs.append(session.id, hasher.size, data, hasher)

    def _finish(self, request: Inbound, session: Session, hasher: Hasher) -> Reply:
        digest = hasher.digest()
        try:
            verify({**session.checksums, **sent({}, request.headers)}, digest)
        except StorageError:
            self._drop(session.id)
            raise
        blob = self._blobs.finish(session.id, digest)
        try:
            with self._kernel.database.transaction():
                version = self._writer.commit(session.new, blob)
                self._sessions.finished(session.id, version.generation)
        except BaseException:
            self._blobs.remove(blob.name)
            raise
        self._blobs.discard(session.id)
        return Reply(body=fields.present(version, request.base))

    def _answer(self, request: Inbound, session: Session, generation: int) -> Reply:
        found = self._rows.version(session.new.bucket, session.new.name, generation)
        if found is None:
            raise no_object(session.new.bucket, session.new.name)
        return Reply(body=fields.present(found, request.base))

    def _drop(self, session_id: str) -> None:
        self._sessions.delete(session_id)
        self._blobs.discard(session_id)


def _total(session: Session, chunk: Chunk, size: int) -> int | None:
    """The size that the object shall have, as far as it is known now."""
    if chunk.length is None and chunk.total is None:
        return size
    return session.total if chunk.total is None else chunk.total


def _incomplete(size: int) -> Reply:
    headers = {"Range": f"bytes=0-{size - 1}"} if size else {}
    return Reply(status=308, headers=headers)


def _skip(body: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The stream without its first `count` bytes, which are stored already."""
    for chunk in body:
        rest = chunk[count:]
        count = max(0, count - len(chunk))
        if rest:
            yield rest


def _bounded(body: Iterator[bytes], end: int | None, hasher: Hasher) -> Iterator[bytes]:
    """The stream, refused when it goes past the end that its header announced."""
    for chunk in body:
        if end is not None and hasher.size + len(chunk) > end:
            raise bad_request("The body is longer than its Content-Range.")
        yield chunk
