"""Packages that are pinned come from uv's cache where they are in it; the index is asked for the rest."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gpupipe.localcloud.services.cloudbuild.builder.build import Order, build
from gpupipe.localcloud.services.cloudbuild.builder.job import Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import this_machine

# Stands for uv: tells how it was called, and has nothing in its cache unless CACHED is set.
FAKE = """#!{python}
import os, sys
offline = os.environ.get("UV_OFFLINE") == "1"
print("offline" if offline else "online", flush=True)
sys.exit(1 if offline and not os.environ.get("CACHED") else 0)
"""
DOCKERFILE = """FROM python:3.11-slim
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /bin/uv
{more}
RUN ["/bin/uv", "pip", "install", "--python", "/bin/uv", "--no-deps", {pinned}"-r", "r.txt"]
"""
HASHES = '"--require-hashes", '


@pytest.mark.parametrize(
    ("more", "pinned", "told"),
    [
        ("ENV CACHED=1", HASHES, ["offline"]),
        ("ENV CACHED=", HASHES, ["online"]),
        ("ENV CACHED=1", "", ["online"]),  # a newer one may fit what is not pinned
    ],
    ids=["cached", "not cached", "not pinned"],
)
def test_what_is_pinned_and_cached_asks_no_index(
    tmp_path: Path, more: str, pinned: str, told: list[str]
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(FAKE.format(python=sys.executable))
    uv.chmod(0o755)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE.format(more=more, pinned=pinned))
    log: list[str] = []
    machine = replace(this_machine({"HOME": str(tmp_path)}, tmp_path / "layers"), uv=uv)
    build(Order(context, tmp_path / "work", "Dockerfile", {}, {}), machine, Job(log.append, bool))
    assert [line for line in log if line in {"offline", "online"}] == told
