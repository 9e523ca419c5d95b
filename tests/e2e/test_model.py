"""A model of one's own, from a folder to the service, and back."""

import base64
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli
from tests.support.bundles import IMAGE_MANIFEST, image_files, write_bundle

WHITE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
)
TOML = "# ours\n\nretention_days = 30  # a month\n\n[postprocess]\n"


@pytest.mark.promise("D19", "S79")
@pytest.mark.promise(139)
@pytest.mark.promise(39)
def test_a_model_for_pictures_is_pushed_used_and_left_again(deployed: Cli, tmp_path: Path) -> None:
    write_bundle(tmp_path / "mine", IMAGE_MANIFEST, image_files())
    (tmp_path / "white.png").write_bytes(WHITE)
    (tmp_path / "gpupipe.toml").write_text(TOML)
    done = deployed("model", "push", "mine", "--local", "--version", "7", cwd=tmp_path)
    assert done.code == 0, done.err
    done = deployed("model", "use", "brightness", "--local", "-o", "json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json["canary"]["state"] == "succeeded"
    assert re.search(r"The service took [0-9.]+ s to load brightness@7 \(10 s were est", done.err)
    assert (tmp_path / "gpupipe.toml").read_text() == TOML.replace(
        "a month\n", 'a month\nmodel = "brightness@7"\n'
    )
    listed = deployed("model", "list", "--local", "-o", "json", cwd=tmp_path).json
    assert (listed["used"], listed["configured"]) == ("brightness@7", "brightness@7")

    sent = deployed("test-upload", "--local", "white.png", "-o", "json", cwd=tmp_path)
    assert sent.json["files"][0]["label"] == "bright"

    done = deployed("model", "use", "default", "--local", "--no-canary", cwd=tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "gpupipe.toml").read_text() == TOML


def test_what_cannot_be_used_changes_nothing(deployed: Cli, tmp_path: Path) -> None:
    (tmp_path / "gpupipe.toml").write_text(TOML)
    done = deployed("model", "use", "nobodys@1", "--local", cwd=tmp_path)
    assert done.code == 2
    assert "There is no model nobodys@1" in done.err
    assert (tmp_path / "gpupipe.toml").read_text() == TOML
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text("{}")
    done = deployed("model", "validate", "bad", "--name", "x", cwd=tmp_path)
    assert done.code == 2
    assert "cannot be served" in done.err
