"""The official Cloud Storage client of Node.js, unmodified, sends a file and reads its result."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.support.pipeline import QuickPipeline

SOURCES = Path(__file__).parents[1] / "node"
# Where npm installs what the lock file names; kept, for it never changes.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gpupipe-tests"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


@pytest.fixture(scope="module")
def program() -> Path:
    """The program, in a folder with the client that its lock file pins."""
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    content = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    folder = CACHE / f"node-{hashlib.sha256(content).hexdigest()[:16]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=CACHE))
        try:
            shutil.copytree(SOURCES, made, dirs_exist_ok=True)
            done = subprocess.run(
                INSTALL, cwd=made, capture_output=True, text=True, timeout=300, check=False
            )
            if done.returncode:
                pytest.skip(f"npm cannot install the client: {done.stderr.splitlines()[:1]}")
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder / "send-and-wait.mjs"


@pytest.mark.long
@pytest.mark.promise(41)
def test_it_sends_a_file_and_reads_its_result(
    program: Path, quick_pipeline: QuickPipeline, tmp_path: Path
) -> None:
    quick_pipeline.deployer.deploy(canary=False)
    cloud, names = quick_pipeline.cloud, quick_pipeline.spec.names
    file = tmp_path / "from-node.txt"
    file.write_text("What a wonderful day, I love it.")
    settings = cloud.kernel.settings
    done = subprocess.run(
        [str(shutil.which("node")), program, names.bucket("input"), file, names.bucket("output")],
        env={
            "PATH": os.environ["PATH"],
            # what `gpupipe local env` exports, and its address as the proxy of this program
            "GOOGLE_APPLICATION_CREDENTIALS": str(settings.credentials),
            "GOOGLE_CLOUD_PROJECT": quick_pipeline.deployer.project,
            "NODE_EXTRA_CA_CERTS": str(settings.certificate),
            "HTTPS_PROXY": cloud.http,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [item["label"] for item in result["items"]] == ["positive"]
