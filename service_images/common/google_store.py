"""The Store over google-cloud-storage.

Contract: credentials are google.auth's defaults, the endpoint is the library's own choice.
Retries are the library's: every call here is safe to repeat (reads, and creations with
ifGenerationMatch=0 whose repetition is a 412 that the caller resolves), for a minute at most.
Objects are read as they are stored: one that was uploaded with `Content-Encoding: gzip` is not
unpacked, so a small object cannot become a large one. Every call at once has a connection that is
kept for the next one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import google.api_core.exceptions as api
import google.auth.exceptions
import requests.exceptions
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from common.objects import ObjectInfo, ObjectRef
from common.problems import Blame, ProblemError, StartError
from common.store import (
    ObjectExistsError,
    ObjectMissingError,
    StorageDeniedError,
    StorageUnavailableError,
)

_RETRY = DEFAULT_RETRY.with_delay(initial=0.5, maximum=8.0).with_timeout(60.0)
_TIMEOUT_S = (5.0, 60.0)  # connect, read
# Requests have 40 threads, each of which may have 8 more; connections are made when they are needed.
_CONNECTIONS = 40 * 8
_TRANSIENT = (
    api.TooManyRequests,
    api.ServerError,
    api.RetryError,
    google.auth.exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
)


class GoogleStore:
    """Cloud Storage; safe to use from several threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        _widen(client)

    def stat(self, bucket: str, name: str, generation: str | None = None) -> ObjectInfo:
        """What is known of an object."""
        blob = self._blob(bucket, name, generation)
        with _translated(bucket, name, generation):
            blob.reload(timeout=_TIMEOUT_S, retry=_RETRY)
        return _info(blob)

    def read(self, ref: ObjectRef, start: int = 0, end: int | None = None) -> bytes:
        """The stored bytes from `start` up to, not including, `end`."""
        blob = self._blob(ref.bucket, ref.name, ref.generation)
        with _translated(ref.bucket, ref.name, ref.generation):
            data: bytes = blob.download_as_bytes(
                start=start or None,
                end=None if end is None else end - 1,
                raw_download=True,
                timeout=_TIMEOUT_S,
                retry=_RETRY,
            )
        return data

    def create(
        self, bucket: str, name: str, data: bytes, content_type: str, metadata: dict[str, str]
    ) -> ObjectInfo:
        """Writes an object that must not be there yet."""
        blob = self._blob(bucket, name, None)
        blob.metadata = metadata
        with _translated(bucket, name, None):
            blob.upload_from_string(
                data,
                content_type=content_type,
                if_generation_match=0,
                timeout=_TIMEOUT_S,
                retry=_RETRY,
            )
        return _info(blob)

    def _blob(self, bucket: str, name: str, generation: str | None) -> Any:
        number = int(generation) if generation else None
        return self._client.bucket(bucket).blob(name, generation=number)


def open_google_store(project: str | None) -> GoogleStore:
    """A store with the environment's own credentials; asks the metadata server for them."""
    try:
        return GoogleStore(storage.Client(project=project))
    except google.auth.exceptions.GoogleAuthError as error:
        raise StartError(f"no credentials for Cloud Storage: {error}") from error


def _widen(client: Any) -> None:
    """requests keeps 10 connections, and makes the others anew for every call, with a warning."""
    http = client._http  # noqa: SLF001  # as the library's guide has it
    # The second asks for tokens: every call does, once theirs has expired.
    for session in (http, http._auth_request.session):  # noqa: SLF001
        for scheme in ("https://", "http://"):
            retries = session.get_adapter(scheme).max_retries
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=retries))


def _info(blob: Any) -> ObjectInfo:
    return ObjectInfo(
        ref=ObjectRef(str(blob.bucket.name), str(blob.name), str(blob.generation)),
        size=int(blob.size or 0),
        content_type=blob.content_type,
        crc32c=blob.crc32c,
        metadata=dict(blob.metadata or {}),
    )


@contextmanager
def _translated(bucket: str, name: str, generation: str | None) -> Iterator[None]:
    try:
        yield
    except api.NotFound as error:
        raise ObjectMissingError(bucket, name, generation) from error
    except api.PreconditionFailed as error:
        raise ObjectExistsError(bucket, name) from error
    except api.Forbidden as error:
        raise StorageDeniedError(bucket, name) from error
    except _TRANSIENT as error:
        raise StorageUnavailableError(bucket, name, type(error).__name__) from error
    except api.GoogleAPICallError as error:
        message = f"Cloud Storage refused a call for gs://{bucket}/{name}: {error.message}"
        raise ProblemError(500, "storage_error", message, blame=Blame.SYSTEM) from error
