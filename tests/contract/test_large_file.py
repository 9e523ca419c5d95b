"""The largest file that the documents promise: 50,000 rows through the whole pipeline, in their order."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bundles import TEXT_MANIFEST, text_files, write_bundle
from tests.support.localcloud import start_cloud
from tests.support.memory import forget_peak, peak_bytes, resident_bytes
from tests.support.pipeline import Deployer, FastClock

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.deploy.bundles import read_bundle
from gpupipe.deploy.models import push
from gpupipe.workflows import limits

ROWS = 50_000
PADDING = "x" * 850
"""One word that no vocabulary has: the file is nearly as large as a table may be, its chunks full."""
CHUNKS = 168
DAEMON_BYTES = 200_000_000
"""Most memory that such a file may take in the local cloud, the test's own reading of it left out."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Deployer]:
    """With a small model, which scores in no time; chunks go as many at a time as they may."""
    file, clock = tmp_path / "gpupipe.toml", FastClock(1.0)
    file.write_text("parallel_chunks = 20\n")
    running = start_cloud(tmp_path / "cloud", clock=clock)
    try:
        deployer = Deployer(running, clock, "large-project", file=file)
        assert not deployer.deploy(canary=False).outcome.failed
        bundle = read_bundle(write_bundle(tmp_path / "tiny", TEXT_MANIFEST, text_files()))
        push(deployer.connect(), deployer.spec, bundle)
        file.write_text('parallel_chunks = 20\nmodel = "tiny@1.0"\n')
        assert not deployer.deploy(canary=False).outcome.failed
        yield deployer
    finally:
        running.stop()


def word(row: int) -> str:
    return "bad" if row % 7 == 0 else "good"


def ended(pipeline: Deployer, cloud: Cloud, name: str) -> Execution:
    while True:
        for one in cloud.executions.each(pipeline.spec.workflow_name):
            if one.file == name and not one.active:
                return one
        pipeline.clock.sleep(1)


@pytest.mark.long
@pytest.mark.promise("D5")
def test_fifty_thousand_rows_come_out_in_their_order(
    pipeline: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, names = pipeline.connect(), pipeline.spec.names
    file = tmp_path / "rows.csv"
    with file.open("w") as rows:
        rows.write("id,text\n")
        rows.writelines(f"r{row},{word(row)} {PADDING}\n" for row in range(ROWS))
    before = resident_bytes()
    forget_peak()
    cloud.storage.upload(names.bucket("input"), "rows.csv", file, content_type="text/csv")
    execution = ended(pipeline, cloud, "rows.csv")
    assert peak_bytes() - before < DAEMON_BYTES
    assert execution.state == "SUCCEEDED"
    bad = len(range(0, ROWS, 7))
    summary = execution.result["summary"]
    assert (summary["total"], summary["ok"], summary["failed"]) == (ROWS, ROWS, 0)
    assert summary["by_label"] == {"no": bad, "yes": ROWS - bad}

    output = names.bucket("output")
    result = json.loads(cloud.storage.read(output, execution.result["output_file"]) or b"")
    lines = (cloud.storage.read(output, result["items_object"]["name"]) or b"").splitlines()
    assert len(lines) == ROWS
    for row, line in enumerate(lines):
        item = json.loads(line)
        expected = (f"r{row}", row + 2, "no" if word(row) == "bad" else "yes")
        assert (item["id"], item["row"], item["label"]) == expected
    chunks = list(cloud.storage.each_object(names.bucket("work"), "chunks/"))
    assert len(chunks) > CHUNKS

    # What the local cloud holds a workflow to is Google's limit: with less the file would not pass.
    monkeypatch.setattr(limits, "VARIABLES_BYTES", 2000)
    cloud.storage.upload(names.bucket("input"), "few.csv", b"text\na\nb\n", content_type="text/csv")
    execution = ended(pipeline, cloud, "few.csv")
    assert execution.state == "FAILED"
    assert "Memory usage limit exceeded" in str(execution.error)
