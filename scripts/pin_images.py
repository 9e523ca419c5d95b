"""Fills in the digests of the images that the Dockerfiles build from, as their registries tell them.

Usage: python scripts/pin_images.py [DOCKERFILE ...]. A registry that cannot be reached is an error
and nothing is changed: no digest is ever made up. Standard library only.
"""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HUB = "registry-1.docker.io"
TIMEOUT_S = 30.0
# An index of all platforms first: what a tag means to every machine.
_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_BASE = re.compile(r"(?m)^FROM (?P<image>[a-z0-9./_-]+:[\w.-]+)\$\{PYTHON_DIGEST\}")
_ARGUMENT = re.compile(r"(?m)^ARG PYTHON_DIGEST=.*$")
_COPIED = re.compile(
    r"(?m)^(COPY --from=)(?P<image>[a-z0-9./_-]+/[a-z0-9./_-]+:[\w.-]+)(@\S+)?( .*)$"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PAIR = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(Exception):
    """A registry did not tell a digest; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Image:
    """Where an image's manifest is."""

    registry: str
    repository: str
    tag: str

    @property
    def url(self) -> str:
        """Of its manifest."""
        local = self.registry.partition(":")[0] in {"127.0.0.1", "localhost"}
        scheme = "http" if local else "https"
        return f"{scheme}://{self.registry}/v2/{self.repository}/manifests/{self.tag}"


def parse(name: str) -> Image:
    """An image by Docker's rules: without a registry it is one of Docker Hub."""
    path, _, tag = name.rpartition(":")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Image(first, rest, tag)
    return Image(HUB, path if slash else f"library/{path}", tag)


def digest(name: str) -> str:
    """What the tag points to now. Raises RegistryError."""
    image = parse(name)
    try:
        headers = _headers(image, {})
    except urllib.error.HTTPError as error:
        if error.code != 401:  # noqa: PLR2004 - a registry's way to say where tokens come from
            raise RegistryError(f"{name}: {image.registry} answered {error.code}") from error
        headers = _with_token(name, image, error.headers.get("WWW-Authenticate", ""))
    except OSError as error:
        raise RegistryError(f"{name}: {image.registry} cannot be reached: {error}") from error
    found = headers.get("Docker-Content-Digest", "")
    if not _DIGEST.fullmatch(found):
        raise RegistryError(f"{name}: {image.registry} told no digest")
    return str(found)


def _with_token(name: str, image: Image, challenge: str) -> Any:
    terms = dict(_PAIR.findall(challenge))
    if not challenge.lower().startswith("bearer ") or "realm" not in terms:
        raise RegistryError(f"{name}: {image.registry} wants credentials")
    query = {"service": terms.get("service", ""), "scope": f"repository:{image.repository}:pull"}
    try:
        with _open(f"{terms['realm']}?{urllib.parse.urlencode(query)}", {}) as answer:
            token = json.load(answer).get("token", "")
        return _headers(image, {"Authorization": f"Bearer {token}"})
    except (OSError, ValueError) as error:
        raise RegistryError(f"{name}: {image.registry} gave no access: {error}") from error


def _headers(image: Image, headers: dict[str, str]) -> Any:
    with _open(image.url, {"Accept": ", ".join(_TYPES), **headers}, "HEAD") as answer:
        return answer.headers


def _open(url: str, headers: dict[str, str], method: str = "GET") -> Any:
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
    return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - https, or loopback


def pinned(text: str) -> str:
    """A Dockerfile with the digests of its images. Raises RegistryError."""
    bases = {match["image"] for match in _BASE.finditer(text)}
    if len(bases) != 1:
        raise RegistryError(f"one base with ${{PYTHON_DIGEST}} is expected, not {len(bases)}")
    text = _ARGUMENT.sub(f"ARG PYTHON_DIGEST=@{digest(bases.pop())}", text)
    return _COPIED.sub(lambda m: f"{m[1]}{m['image']}@{digest(m['image'])}{m[4]}", text)


def main(paths: Iterable[str]) -> int:
    """Pin every Dockerfile, or none."""
    files = [Path(path) for path in paths] or sorted(ROOT.glob("service_images/*/Dockerfile"))
    try:
        done = {file: pinned(file.read_text(encoding="utf-8")) for file in files}
    except RegistryError as error:
        print(f"Nothing was changed. {error}", file=sys.stderr)
        return 1
    for file, text in done.items():
        file.write_text(text, encoding="utf-8")
        print(f"pinned {file}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
