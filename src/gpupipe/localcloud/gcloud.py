"""The private configuration that makes gcloud and gsutil use this local cloud.

A folder that CLOUDSDK_CONFIG names: gcloud then neither reads nor writes the user's own. It has the
HTTP listener as its proxy, so names of APIs are never looked up, and the operator's token by its
file. What the user sets in it (`gcloud config set`) stays, but for what makes it work.
"""

import os
from collections.abc import Mapping
from configparser import ConfigParser, Error
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from gpupipe.localcloud.kernel.caller import OPERATOR_EMAIL
from gpupipe.localcloud.kernel.secret_file import write_secret
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.transport import hosts

# gsutil's own transport speaks TLS to Google's addresses alone; gcloud's, which it can use, does not.
_BOTO = {"GSUtil": {"use_gcloud_storage": "True", "software_update_check_period": "0"}}
# gcloud believes the file for ten minutes after its time: 2100.
_FAR = 4_102_444_800


def write_configuration(settings: Settings, http: str) -> None:
    """Make or renew the folder, for a local cloud at the address `http`."""
    folder = settings.gcloud
    path = folder / "configurations" / "config_default"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_secret(path, _text(_defaults(settings), _kept(path), _fixed(settings, http)))
    # Without this file gcloud takes the configuration for a new one, and empties it.
    write_secret(folder / "active_config", b"default")
    write_secret(settings.boto, _text(_BOTO))
    # gsutil asks a metadata server whether it runs on a machine of Google's, unless this knows.
    write_secret(folder / "gce", b"False")
    os.utime(folder / "gce", (_FAR, _FAR))


def _defaults(settings: Settings) -> dict[str, dict[str, str]]:
    region = settings.region
    return {
        "core": {"project": settings.project},
        "run": {"region": region},
        "workflows": {"location": region},
        "eventarc": {"location": region},
        "artifacts": {"location": region},
    }


def _fixed(settings: Settings, http: str) -> dict[str, dict[str, str]]:
    address = urlsplit(http)
    return {
        "core": {
            "account": OPERATOR_EMAIL,
            "disable_usage_reporting": "true",
            "check_gce_metadata": "false",
            # For APIs whose address gcloud lets nobody change: the proxy speaks in their name.
            "custom_ca_certs_file": str(settings.certificate),
        },
        "survey": {"disable_prompts": "true"},
        "component_manager": {"disable_update_check": "true"},
        "auth": {"access_token_file": str(settings.token)},
        "proxy": {"type": "http", "address": f"{address.hostname}", "port": f"{address.port}"},
        "api_endpoint_overrides": {
            api: f"http://{api}.{hosts.DOMAIN}{path}" for api, path in hosts.APIS.items()
        }
        # Identity tokens are fetched by a part of gcloud that does not know its proxy.
        | {"iamcredentials": f"{http}/"},
    }


def _kept(path: Path) -> ConfigParser:
    """What is in the file; nothing where there is none, or where it cannot be read."""
    found = ConfigParser(interpolation=None)
    try:
        found.read(path, encoding="utf-8")
    except (Error, UnicodeDecodeError):
        return ConfigParser(interpolation=None)
    return found


def _text(*layers: Mapping[str, Mapping[str, str]]) -> bytes:
    """One file of all layers; a later one wins."""
    merged = ConfigParser(interpolation=None)
    for layer in layers:
        merged.read_dict(layer)
    text = StringIO()
    merged.write(text)
    return text.getvalue().encode()
