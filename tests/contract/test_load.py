"""Many files at once: each has one outcome, the services grow to their maxima and go back to zero.

Here with as many files as a default run has time for; the thousands are `long`.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud import run_v2
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.memory import forget_peak, peak_bytes, resident_bytes
from tests.support.pipeline import Deployer, FastClock, QuickPipeline

from gpupipe.deploy.follow import Follower, Outcome
from gpupipe.deploy.sending import Sender, send_and_follow
from gpupipe.deploy.uploads import Upload, collect
from gpupipe.localcloud.runner.pool import Pool
from gpupipe.localcloud.services.run.surface import Run

FEW, MANY = 40, 2000
MAXIMA = {"preprocess": 3, "gpu-inference": 2, "postprocess": 3}
PATIENCE_S = 50_000.0
BUSY_S = 600
STEP_S = 60
INVOKE = "run.services.invoke"
BYTES_OF_A_FILE = 200_000
"""Most memory that a file on its way may take, in the client and in the local cloud together; of 2,000
that wait for ten minutes each took 158,000."""


def files(folder: Path, count: int) -> Sequence[Upload]:
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number:04}.txt").write_text(f"A lovely day, number {number}.")
    return collect([folder]).uploads


def sent_at_once(pipeline: Deployer, uploads: Sequence[Upload]) -> Iterator[Outcome]:
    """The outcomes, as they come, of files that are sent as fast as it goes."""
    cloud, spec = pipeline.connect(), pipeline.spec
    with (
        Sender(cloud, spec.names.bucket("input"), uploads, pipeline.clock) as sender,
        Follower(cloud, spec.workflow_name, spec.names.bucket("output")) as follower,
    ):
        told = send_and_follow(sender, follower, cloud, pipeline.clock, patience_s=PATIENCE_S)
        yield from (one for one in told if isinstance(one, Outcome))


def written(pipeline: Deployer, folder: str) -> Counter[str]:
    """How many results and error records each input below a folder has."""
    cloud, bucket = pipeline.connect(), pipeline.spec.names.bucket("output")
    return Counter(
        one.name.partition("/")[2].rsplit(".", 2)[0]
        for kind in ("results", "errors")
        for one in cloud.storage.each_object(bucket, f"{kind}/{folder}/")
    )


def pools(pipeline: Deployer) -> dict[str, Pool]:
    """Behind the wire: the instances of each service."""
    services = pipeline.cloud.client(run_v2.ServicesClient)
    run = next(one for one in pipeline.cloud.cloud.surfaces if isinstance(one, Run))
    found = {}
    for service in MAXIMA:
        seen = services.get_service(name=pipeline.spec.service_name(service))
        pool = run.supervisor.existing(seen.latest_ready_revision)
        assert pool is not None
        found[service] = pool
    return found


@pytest.mark.promise(41)
def test_files_that_come_at_once_have_one_outcome_each(
    quick_pipeline: QuickPipeline, tmp_path: Path
) -> None:
    quick_pipeline.deployer.deploy(canary=False)
    pipeline = quick_pipeline.operator
    uploads = files(tmp_path / "few", FEW)
    ended = list(sent_at_once(pipeline, uploads))
    assert Counter(one.state for one in ended) == {"succeeded": FEW}
    assert written(pipeline, "few") == dict.fromkeys((one.name for one in uploads), 1)


@pytest.fixture
def maxima(request: pytest.FixtureRequest) -> dict[str, int]:
    """Small ones, so that two cores see services at them."""
    return MAXIMA | getattr(request, "param", {})


@pytest.fixture
def pace() -> float:
    """How much faster than the machine's the clock runs."""
    return 5.0


@pytest.fixture
def pipeline(tmp_path: Path, maxima: dict[str, int], pace: float) -> Iterator[Deployer]:
    """In a local cloud of its own."""
    file, clock = tmp_path / "gpupipe.toml", FastClock(pace)
    file.write_text(
        "".join(
            f"[{service.replace('-', '_')}]\nconcurrency = 8\nmax_instances = {most}\n"
            for service, most in maxima.items()
        )
    )
    running = start_cloud(tmp_path / "cloud", clock=clock)
    try:
        deployer = Deployer(running, clock, "load-project", file=file)
        assert not deployer.deploy(canary=False).outcome.failed
        yield deployer
    finally:
        running.stop()


@pytest.mark.long
@pytest.mark.promise(81)
@pytest.mark.promise(104)
def test_two_thousand_files_at_once(pipeline: Deployer, tmp_path: Path) -> None:
    uploads = files(tmp_path / "many", MANY)
    found, most, states = pools(pipeline), Counter[str](), Counter[str]()
    before = resident_bytes()
    forget_peak()
    for one in sent_at_once(pipeline, uploads):
        states[one.state] += 1
        most |= Counter({service: pool.count for service, pool in found.items()})
    # The client and the cloud, with all the executions that wait at once.
    assert peak_bytes() - before < MANY * BYTES_OF_A_FILE
    assert states == {"succeeded": MANY}
    assert written(pipeline, "many") == dict.fromkeys((one.name for one in uploads), 1)
    # All go through preprocess at once; how many postprocess needs is a matter of what comes before.
    assert most == MAXIMA | {"postprocess": most["postprocess"]}
    assert 1 <= most["postprocess"] <= MAXIMA["postprocess"]

    pipeline.cloud.control("POST", "clock", {"seconds": 1000})
    while any(pool.count for pool in found.values()):
        pipeline.clock.sleep(1)


@pytest.mark.long
@pytest.mark.promise(36)
@pytest.mark.parametrize("maxima", [{"gpu-inference": 1}], indirect=True)
@pytest.mark.parametrize("pace", [1.0])  # the ten minutes pass by the test's own doing
def test_no_file_is_lost_while_the_services_have_no_room_for_ten_minutes(
    pipeline: Deployer, tmp_path: Path
) -> None:
    gpus = pools(pipeline)["gpu-inference"]
    pipeline.cloud.inject(INVOKE, "RESOURCE_EXHAUSTED", times=10**6)
    uploads = files(tmp_path / "queued", MANY)
    before = resident_bytes()
    forget_peak()
    over, states = threading.Event(), Counter[str]()
    with ThreadPoolExecutor(1) as thread:
        waited = thread.submit(no_room, pipeline.cloud, over)
        for one in sent_at_once(pipeline, uploads):
            assert over.is_set(), "there was no room yet"
            states[one.state] += 1
            assert gpus.count <= 1
        waited.result()
    assert peak_bytes() - before < MANY * BYTES_OF_A_FILE
    assert states == {"succeeded": MANY}
    assert written(pipeline, "queued") == dict.fromkeys((one.name for one in uploads), 1)


def no_room(cloud: RunningCloud, over: threading.Event) -> None:
    """Ten minutes pass, each after every file has asked again; then there is room."""
    try:
        for minute in range(BUSY_S // STEP_S):
            while consumed(cloud) < MANY * (minute + 1):
                cloud.kernel.clock.sleep(1)
            cloud.control("POST", "clock", {"seconds": STEP_S})
    finally:
        over.set()
        cloud.control("DELETE", "faults")


def consumed(cloud: RunningCloud) -> int:
    (fault,) = cloud.control("GET", "faults")["faults"]
    return int(fault["consumed"])
