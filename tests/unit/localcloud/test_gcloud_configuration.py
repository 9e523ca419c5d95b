"""The configuration for gcloud: private, renewed at each start, and the user's settings stay."""

import time
from configparser import ConfigParser
from pathlib import Path

import pytest

from gpupipe.commands._local_gcloud import environment_of, foreign
from gpupipe.localcloud.gcloud import write_configuration
from gpupipe.localcloud.settings import Settings


def written(home: Path, http: str) -> ConfigParser:
    write_configuration(Settings(home), http)
    found = ConfigParser(interpolation=None)
    found.read(home / "gcloud" / "configurations" / "config_default")
    return found


def test_it_is_private_and_names_the_token_by_its_file(tmp_path: Path) -> None:
    found = written(tmp_path, "http://127.0.0.1:1234")
    assert dict(found["proxy"]) == {"type": "http", "address": "127.0.0.1", "port": "1234"}
    assert found["auth"]["access_token_file"] == str(tmp_path / "token")
    for path in (tmp_path / "gcloud").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_address_in_it_leads_off_the_machine(tmp_path: Path) -> None:
    found = written(tmp_path, "http://127.0.0.1:1234")
    for address in found["api_endpoint_overrides"].values():
        assert address.split("/")[2].endswith((".gpupipe.test", "127.0.0.1:1234"))


@pytest.mark.promise("D25")
def test_nothing_asks_anybody_else(tmp_path: Path) -> None:
    found = written(tmp_path, "http://127.0.0.1:1234")
    assert found["core"]["disable_usage_reporting"] == "true"
    assert found["core"]["check_gce_metadata"] == "false"
    assert found["component_manager"]["disable_update_check"] == "true"
    assert found["survey"]["disable_prompts"] == "true"
    answered = tmp_path / "gcloud" / "gce"
    assert answered.read_text() == "False"
    assert answered.stat().st_mtime > time.time() + 10 * 365 * 86_400


def test_what_the_user_set_stays_and_what_leads_here_is_renewed(tmp_path: Path) -> None:
    before = written(tmp_path, "http://127.0.0.1:1")
    before["core"].update(
        {"project": "theirs", "verbosity": "debug", "disable_usage_reporting": "no"}
    )
    with (tmp_path / "gcloud" / "configurations" / "config_default").open("w") as file:
        before.write(file)
    after = written(tmp_path, "http://127.0.0.1:2")
    assert (after["core"]["project"], after["core"]["verbosity"]) == ("theirs", "debug")
    assert after["core"]["disable_usage_reporting"] == "true"
    assert after["proxy"]["port"] == "2"


@pytest.mark.parametrize("broken", [b"no section\n", b"\xff\xfe", b"[core]\n[core]\n"])
def test_one_that_cannot_be_read_is_made_anew(tmp_path: Path, broken: bytes) -> None:
    written(tmp_path, "http://127.0.0.1:1")
    (tmp_path / "gcloud" / "configurations" / "config_default").write_bytes(broken)
    assert written(tmp_path, "http://127.0.0.1:2")["proxy"]["port"] == "2"


def test_variables_that_lead_elsewhere_are_known() -> None:
    kept = {"CLOUDSDK_PYTHON": "", "CLOUDSDK_PYTHON_SITEPACKAGES": "", "PATH": "", "HOME": ""}
    others = {
        "CLOUDSDK_CONFIG": "",
        "CLOUDSDK_PROXY_ADDRESS": "",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "",
        "BOTO_PATH": "",
        "no_proxy": "",
    }
    assert set(foreign(kept | others)) == set(others) - {"no_proxy"}
    environment = environment_of(kept | others, "http://127.0.0.1:1")
    assert environment["https_proxy"] == environment["HTTP_PROXY"] == "http://127.0.0.1:1"
    assert environment.keys() & others.keys() == {"CLOUDSDK_CONFIG"}
