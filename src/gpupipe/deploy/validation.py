"""Proves a deployed pipeline with work: health, a canary, then many files at once.

Each part has a verdict. What cannot be known here, such as instances where no log tells of them, is
"not measured", which is no failure. The files lie where canaries lie, and are removed.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy import canary
from gpupipe.deploy.activity import Gpu, gpu
from gpupipe.deploy.checks import HEALTHY, UNHEALTHY, check_all
from gpupipe.deploy.follow import Outcome, Sent, follow, parsed, pause_s
from gpupipe.deploy.instances import Instances, count
from gpupipe.deploy.logs import Selection, newest
from gpupipe.deploy.spec import PipelineSpec

PASSED, FAILED, NOT_MEASURED = "passed", "failed", "not measured"
_PARALLEL = 8
_TIMEOUT_S = 3600.0
# Lines may come into Cloud Logging later than what they tell of.
_LOGGED_S = 60.0
# As may points into Cloud Monitoring.
_MEASURED_S = 300.0
_EMULATED = "emulated"
_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, how it was, and in words."""

    name: str
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What is asked for. files: 0 for none; settle_s: how long instances may take to end, 0: not waited for."""

    cloud: Cloud
    spec: PipelineSpec
    clock: Clock
    files: int
    settle_s: float

    def run(self) -> Iterator[Verdict]:
        """Each verdict as soon as it is known. After a canary that failed no files are sent."""
        yield from self._health()
        device = self._canary()
        yield from device
        if self.files and all(one.verdict != FAILED for one in device):
            yield from self._load()

    def _health(self) -> Iterator[Verdict]:
        words = {HEALTHY: PASSED, UNHEALTHY: FAILED}
        for one in check_all(self.cloud, self.spec):
            verdict = words.get(one.verdict, NOT_MEASURED)
            yield Verdict(f"health of {one.service}", verdict, one.detail or one.verdict)

    def _canary(self) -> list[Verdict]:
        try:
            proof = canary.run(self.cloud, self.spec, self.clock, lambda _: None)
        except GpupipeError as error:
            return [Verdict("canary", FAILED, f"{error.brief} {error.details or ''}".strip())]
        seconds = sum(one.seconds or 0.0 for one in proof.hops)
        return [Verdict("canary", PASSED, f"{proof.outcome.label} after {seconds:.1f} s")]

    def _load(self) -> Iterator[Verdict]:
        began = self.clock.now()
        folder = f"{canary.PREFIX}load-{uuid.uuid4().hex}"
        sent: list[Sent] = []
        try:
            sent += self._send(folder)
            outcomes = self._outcomes(sent)
            ended, devices = self.clock.now(), self._devices(outcomes)
        finally:
            self._clean(folder, sent)
        good = sum(one.state == "succeeded" for one in outcomes)
        bad = next((one.reason for one in outcomes if one.state != "succeeded"), "")
        words = f"{good} of {self.files} files succeeded" + (f"; {bad}" if bad else "")
        yield Verdict("load", PASSED if good == self.files else FAILED, words)
        yield _device(self.spec, devices)
        found = self._instances(began, good)
        yield from _scaling(self.spec, found, self._most())
        yield self._settled(began, found)
        yield self._utilisation(began, ended, devices)

    def _send(self, folder: str) -> list[Sent]:
        suffix, content_type, data = canary.content(self.cloud, self.spec)
        bucket = self.spec.names.bucket("input")

        def one(number: int) -> Sent:
            name = f"{folder}/{number:05}{suffix}"
            done = self.cloud.storage.upload(bucket, name, data, content_type=content_type)
            return Sent(name, done, 0.0)

        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="load") as pool:
            return list(pool.map(one, range(self.files)))

    def _outcomes(self, sent: Sequence[Sent]) -> list[Outcome]:
        return list(
            follow(
                self.cloud,
                self.spec.workflow_name,
                self.spec.names.bucket("output"),
                sent,
                clock=self.clock,
                timeout_s=_TIMEOUT_S,
            )
        )

    def _devices(self, outcomes: Sequence[Outcome]) -> set[str]:
        """What the results say they were made on; a few tell enough."""
        names = [one.result_object for one in outcomes if one.result_object][:_PARALLEL]
        bucket = self.spec.names.bucket("output")
        return {
            str(parsed(self.cloud.storage.read(bucket, name)).get("device", "")) for name in names
        }

    def _clean(self, folder: str, sent: Sequence[Sent]) -> None:
        """Remove the files one by one, and at the end what an interrupted sending has left."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="clean") as pool:
            list(pool.map(lambda one: canary.clean(self.cloud, self.spec, one.object.name), sent))
        canary.clean(self.cloud, self.spec, folder)

    def _instances(self, began: datetime, files: int) -> Mapping[str, Instances]:
        """The instances of each service, once the logs tell of all the files."""
        deadline = self.clock.monotonic() + _LOGGED_S
        while True:
            lines = list(newest(self.cloud, self.spec, Selection(SERVICES, began)))
            told = sum(one.entry.text == "postprocessed" for one in lines)
            if told >= files or self.clock.monotonic() > deadline:
                return count(lines)
            self.clock.sleep(pause_s(self.cloud))

    def _most(self) -> dict[str, int]:
        """The maximum of each service, as it is set there: quotas may have lowered it."""
        seen = {one: self.cloud.run.get(self.spec.service_name(one)) for one in SERVICES}
        return {one: found.service.max_instances for one, found in seen.items() if found}

    def _utilisation(self, began: datetime, ended: datetime, devices: set[str]) -> Verdict:
        """What Cloud Monitoring measured of the GPUs meanwhile; its points come some minutes later."""
        name = "GPU utilisation"
        if self.spec.gpu("gpu-inference") is None:
            return Verdict(name, NOT_MEASURED, "no GPU is asked for")
        emulated = any(_EMULATED in one for one in devices)
        deadline = self.clock.monotonic() + (0.0 if emulated else _MEASURED_S)
        try:
            while (found := gpu(self.cloud, self.spec, began, self._until(ended))) is None:
                if self.clock.monotonic() >= deadline:
                    why = "an emulated GPU has no metrics" if emulated else "no metric has come yet"
                    return Verdict(name, NOT_MEASURED, why)
                self.clock.sleep(10 * pause_s(self.cloud))
        except GpupipeError as error:
            return Verdict(name, NOT_MEASURED, error.brief)
        return _worked(name, found, few=self.files <= _room(self.spec))

    def _until(self, ended: datetime) -> datetime:
        """A point of a minute ends after what it tells of."""
        return min(self.clock.now(), ended + timedelta(minutes=1))

    def _settled(self, began: datetime, found: Mapping[str, Instances]) -> Verdict:
        """Whether the instances ended again, down to the minimum."""
        name = "back to the minimum"
        if not self.settle_s or not found:
            why = "idle instances may stay for 15 minutes: give --settle 20m to wait for it"
            return Verdict(name, NOT_MEASURED, why if found else "no log tells of instances")
        deadline = self.clock.monotonic() + self.settle_s
        while True:
            lines = newest(self.cloud, self.spec, Selection(SERVICES, began))
            alive = {service: one.alive for service, one in count(lines).items()}
            more = {
                service: number
                for service, number in alive.items()
                if number > self.spec.service_config(service).min_instances
            }
            if not more:
                return Verdict(name, PASSED, _told(alive))
            if self.clock.monotonic() > deadline:
                return Verdict(name, FAILED, f"after {self.settle_s:.0f} s: {_told(more)}")
            self.clock.sleep(10 * pause_s(self.cloud))


def _device(spec: PipelineSpec, devices: set[str]) -> Verdict:
    words = ", ".join(sorted(devices)) or "no result tells"
    if not devices:
        return Verdict("device", NOT_MEASURED, words)
    gpu = spec.gpu("gpu-inference") is not None
    right = all(one.startswith("cuda") or _EMULATED in one for one in devices)
    return Verdict("device", PASSED if right or not gpu else FAILED, words)


def _worked(name: str, found: Gpu, *, few: bool) -> Verdict:
    """A GPU that was never at work has failed, unless there was hardly anything to do."""
    memory = "" if found.memory_p95 is None else f", memory {found.memory_p95:.0%}"
    words = f"{found.p50:.0%} of the time at work, p95 {found.p95:.0%}{memory}"
    if found.p95 > 0:
        return Verdict(name, PASSED, words)
    if few:
        return Verdict(name, NOT_MEASURED, f"{words}: too few files, give more with --load")
    return Verdict(name, FAILED, words)


def _room(spec: PipelineSpec) -> int:
    """How many files one instance of each service takes at once."""
    return min(spec.service_config(service).concurrency for service in SERVICES)


def _scaling(
    spec: PipelineSpec, found: Mapping[str, Instances], most: Mapping[str, int]
) -> Iterator[Verdict]:
    """More than one instance where the requests do not fit one, and nowhere more than the maximum."""
    at_once = {service: one.at_once for service, one in found.items()}
    if not found:
        yield Verdict("more than one instance", NOT_MEASURED, "no log tells of instances")
        return
    several = max(at_once.values()) >= _SEVERAL
    crowded = any(
        one.requests > spec.service_config(service).concurrency for service, one in found.items()
    )
    if several or crowded:
        yield Verdict("more than one instance", PASSED if several else FAILED, _told(at_once))
    else:
        requests = {service: one.requests for service, one in found.items()}
        why = (
            f"one instance was enough for the requests at once ({_told(requests)}): give more files"
        )
        yield Verdict("more than one instance", NOT_MEASURED, why)
    over = {
        service: number for service, number in at_once.items() if number > most.get(service, number)
    }
    yield Verdict("within the maximum", FAILED if over else PASSED, _told(over or at_once))


def _told(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{service} {number}" for service, number in sorted(numbers.items()))
