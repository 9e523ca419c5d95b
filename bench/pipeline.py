"""The whole pipeline in the local cloud: how long a file takes, where the time goes, how many a second.

A warm file (from the end of its upload to its result) is set against the least that its work can
take: the three services called one after another through the front door, without event and
workflow. Both take turns. Times of the crowd are the server's own, of the objects.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from gpupipe.context import Context, open_context
from gpupipe.core.flags import Flags
from gpupipe.localcloud.kernel.caller import OPERATOR

GPUPIPE = str(Path(sys.executable).with_name("gpupipe"))
ROUNDS = 15
CROWD = 100
THREADS = 16
DEADLINE_S = 300.0
TEXT = b"The second half drags on, but the ending is wonderful."
TOKENS_FOR_SERVICES = ("roles/iam.serviceAccountOpenIdTokenCreator", OPERATOR.member)
STAGES = ("preprocess", "queue", "inference", "postprocess")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["GPUPIPE_HOME"] = home
        try:
            subprocess.run([GPUPIPE, "deploy", "--local", "--yes"], check=True, capture_output=True)
            context = open_context(Flags(local=True))
            context.cloud.projects.edit_bindings(
                context.spec.names.project, add={TOKENS_FOR_SERVICES}
            )
            alone(Pipeline(context))
            crowd(Pipeline(context))
        finally:
            subprocess.run([GPUPIPE, "local", "stop"], check=False, capture_output=True)
            del os.environ["GPUPIPE_HOME"]


class Pipeline:
    """Sends files, waits for results, calls services."""

    def __init__(self, context: Context) -> None:
        self._storage = context.cloud.storage
        self._names = context.spec.names
        self._http = httpx.Client(timeout=60)
        self._door: dict[str, tuple[str, str]] = {}
        for service in ("preprocess", "gpu-inference", "postprocess"):
            found = context.cloud.run.get(context.spec.service_name(service))
            if found is None:
                raise RuntimeError(f"{service} is not deployed")
            token = context.cloud.iam.id_token(self._names.account("workflow"), found.uri)
            self._door[service] = found.uri, token

    def upload(self, bucket: str, name: str) -> dict[str, str]:
        """A reference to the new object."""
        done = self._storage.upload(
            self._names.bucket(bucket), name, TEXT, content_type="text/plain"
        )
        return {"bucket": done.bucket, "name": name, "generation": str(done.generation)}

    def result(self, ref: dict[str, str]) -> dict[str, Any]:
        """The result of a file, as soon as it is there."""
        name = f"results/{ref['name']}.{ref['generation']}.json"
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = self._storage.read(self._names.bucket("output"), name)
            if found is not None:
                content: dict[str, Any] = json.loads(found)
                return content
            time.sleep(0.005)
        raise RuntimeError(f"no {name} within {DEADLINE_S} s")

    def created(self, bucket: str, prefix: str) -> dict[str, float]:
        """When the objects with that prefix were made, in seconds, by name."""
        found = self._storage.objects(self._names.bucket(bucket), prefix)
        return {one.name: one.created.timestamp() for one in found if one.created is not None}

    def call(self, service: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call through the front door, as the workflow's account."""
        uri, token = self._door[service]
        answer = self._http.post(
            uri + path, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def bare(self, ref: dict[str, str]) -> None:
        """The work of a file, as three calls."""
        about = {"input": ref, "execution_id": "bench"}
        prepared = self.call("preprocess", "/preprocess", about)
        scored = self.call("gpu-inference", "/process", {**about, "chunk": prepared["chunks"][0]})
        self.call(
            "postprocess",
            "/postprocess",
            {
                **about,
                "scores": [scored["scores"]],
                "model": scored["model"],
                "device": scored["device"],
            },
        )


def alone(pipeline: Pipeline) -> None:
    """One file at a time."""
    files, calls = [], []
    for number in range(ROUNDS):
        ref = pipeline.upload("input", f"alone-{number}.txt")
        began = time.perf_counter()
        pipeline.result(ref)
        files.append(time.perf_counter() - began)
        # Nothing listens to this bucket, and preprocess may read it.
        ref = pipeline.upload("work", f"alone-{number}.txt")
        began = time.perf_counter()
        pipeline.bare(ref)
        calls.append(time.perf_counter() - began)
    one, other = statistics.median(files), statistics.median(calls)
    print(
        f"a warm file / its three bare calls: {one / other:.2f}  "
        f"({one * 1000:.0f} ms / {other * 1000:.0f} ms)"
    )


def crowd(pipeline: Pipeline) -> None:
    """Many files at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        refs = list(pool.map(lambda at: pipeline.upload("input", f"crowd-{at}.txt"), range(CROWD)))
        results = list(pool.map(pipeline.result, refs))
    took = time.perf_counter() - began
    sent, done = (
        pipeline.created("input", "crowd-"),
        pipeline.created("output", "results/crowd-"),
    )
    seconds = sorted(
        done[f"results/{ref['name']}.{ref['generation']}.json"] - sent[ref["name"]] for ref in refs
    )
    print(
        f"{CROWD} files at once: {CROWD / took:.1f} files/s, upload to result "
        f"p50 {seconds[len(seconds) // 2]:.2f} s, p95 {seconds[len(seconds) * 95 // 100]:.2f} s"
    )
    total = sum(seconds)
    parts = {
        stage: sum(one["timings_ms"].get(stage, 0) for one in results) / 1000 for stage in STAGES
    }
    parts["event, workflow, waiting for an instance"] = total - sum(parts.values())
    print("share: " + ", ".join(f"{name} {part / total:.0%}" for name, part in parts.items()))


if __name__ == "__main__":
    main()
