"""References of images: the registries that Cloud Run takes images from, and the form of a name."""

import re

_HOST = re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io|(?:[a-z0-9-]+-)?docker\.pkg\.dev|docker\.io")
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)


def is_deployable(reference: str) -> bool:
    """Whether an image may have this reference; without a host it is one of docker.io."""
    first, slash, rest = reference.partition("/")
    # As Docker reads it: what has a dot or a port, or is this machine, is a host.
    if slash and ("." in first or ":" in first or first == "localhost"):
        return bool(_HOST.fullmatch(first) and _REFERENCE.fullmatch(rest))
    return bool(_REFERENCE.fullmatch(reference))
