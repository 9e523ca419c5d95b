"""Tokens of rewrites that take several calls: which source, and how far."""

import base64
import json

from gpupipe.localcloud.services.storage.refusals import bad_request
from gpupipe.localcloud.services.storage.rows import Version


def token(source: Version, done: int) -> str:
    """A token for a rewrite of `source` of which `done` bytes are behind us."""
    return base64.urlsafe_b64encode(json.dumps([*_key(source), done]).encode()).decode()


def done(given: str, source: Version) -> int:
    """The bytes behind us; 0 without a token, 400 for one that was not given for this source."""
    if not given:
        return 0
    try:
        *key, count = json.loads(base64.urlsafe_b64decode(given))
    except (ValueError, TypeError) as error:
        raise bad_request("Invalid rewriteToken.") from error
    if key != _key(source) or not isinstance(count, int):
        raise bad_request("The rewriteToken belongs to another rewrite, or the source has changed.")
    return count


def _key(source: Version) -> list[str | int]:
    return [source.bucket, source.name, source.generation]
