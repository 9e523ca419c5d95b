"""Fetches a build's source from Cloud Storage, over HTTP and as the build's account."""

from pathlib import Path
from urllib.parse import quote

import httpx

from gpupipe.localcloud.services.cloudbuild.builder.job import BuildError, Job

_PIECE = 1 << 20
_TIMEOUT_S = 30.0
_NOT_FOUND, _FORBIDDEN = 404, 403


def fetch(http: str, token: str, place: tuple[str, str, int], target: Path, job: Job) -> int:
    """Stream (bucket, object, generation or 0 for the live one) to a file; the generation."""
    bucket, name, generation = place
    url = f"{http}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
    parameters = {"alt": "media", **({"generation": str(generation)} if generation else {})}
    uri = f"gs://{bucket}/{name}" + (f"#{generation}" if generation else "")
    headers = {"authorization": f"Bearer {token}"}
    try:
        with (
            httpx.Client(trust_env=False, timeout=_TIMEOUT_S, headers=headers) as client,
            client.stream("GET", url, params=parameters) as answer,
        ):
            if answer.is_error:
                raise BuildError(_refusal(answer.status_code, uri))
            with target.open("wb") as file:
                for piece in answer.iter_raw(_PIECE):
                    job.check()
                    file.write(piece)
            return int(answer.headers.get("x-goog-generation", generation))
    except httpx.HTTPError as error:
        raise BuildError(f"The source {uri} could not be read: {error}") from error


def _refusal(status: int, uri: str) -> str:
    if status == _FORBIDDEN:
        return (
            f"The source {uri} could not be read: the build's service account does not have "
            "storage.objects.get access to it."
        )
    if status == _NOT_FOUND:
        return f"The source {uri} does not exist."
    return f"The source {uri} could not be read: Cloud Storage answered {status}."
