"""The wheel is whole: unpacked elsewhere, without the repository, it deploys and proves itself."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.e2e.conftest import Cli

ROOT = Path(__file__).parents[2]


def test_a_pipeline_is_deployed_from_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    cli = Cli(tmp_path / "home", {"PYTHONPATH": str(tmp_path / "site")})
    try:
        done = cli("deploy", "--local", "--yes", "--output", "json")
        assert done.code == 0, done.err
        where = subprocess.run(
            [sys.executable, "-P", "-c", "import gpupipe; print(gpupipe.__file__)"],
            env=cli.env(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert where.stdout.startswith(str(tmp_path / "site"))
        # The checkout has the same sources: what the wheel built is not built again.
        plan = Cli(tmp_path / "home")("plan", "--local", "--exit-code", "--output", "json")
        assert plan.code == 0, plan.out
        images = [one["verb"] for one in plan.json["actions"] if one["kind"] == "image"]
        assert images == ["keep"] * 3
    finally:
        cli("local", "stop")
