"""Where a service's outgoing traffic goes: checked and kept. It is not routed: a process here reaches
what this machine reaches.

Rules: google.cloud.run.v2 VpcAccess and its NetworkInterface; the words, and the codes for what is
not there, are ours.
"""

import re
from typing import Any

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.outside import Outside
from gpupipe.localcloud.services.run.names import ServiceName

_PATH = "service.template.vpc_access"
_CONNECTOR = re.compile(r"projects/[^/]+/locations/([^/]+)/connectors/[^/]+")
_EGRESS = {0, 1, 2}


def check(outside: Outside, name: ServiceName, template: Any) -> None:
    """Raise the first refusal of a template's access to a network."""
    if not template.HasField("vpc_access"):
        return
    access = template.vpc_access
    interfaces = access.network_interfaces
    if access.egress not in _EGRESS:
        raise invalid_argument("egress is ALL_TRAFFIC or PRIVATE_RANGES_ONLY.", f"{_PATH}.egress")
    if bool(access.connector) is bool(interfaces):
        raise invalid_argument("VPC access takes a connector or a network interface.", _PATH)
    if access.connector:
        _check_connector(outside, name, access.connector)
        return
    if len(interfaces) > 1:
        raise invalid_argument(
            "Only a single network interface is supported.", f"{_PATH}.network_interfaces"
        )
    _check_interface(outside, name, interfaces[0])


def _check_connector(outside: Outside, name: ServiceName, connector: str) -> None:
    found = _CONNECTOR.fullmatch(connector)
    if found is None or found[1] != name.region or not outside.exists(connector):
        raise invalid_argument(
            f"VPC connector {connector} does not exist in {name.region}, or Cloud Run has no "
            "permission to use it.",
            f"{_PATH}.connector",
        )


def _check_interface(outside: Outside, name: ServiceName, interface: Any) -> None:
    path = f"{_PATH}.network_interfaces"
    network, subnetwork = interface.network, interface.subnetwork
    if not (network or subnetwork):
        raise invalid_argument("At least one of network and subnetwork is needed.", path)
    whole = _full(network, f"projects/{name.project}/global/networks/")
    if network and not outside.exists(whole):
        raise invalid_argument(f"The network {whole} does not exist.", f"{path}.network")
    # Without one, the subnetwork of the network's own name is used.
    short = subnetwork or network.rpartition("/")[2]
    whole = _full(short, f"projects/{name.project}/regions/{name.region}/subnetworks/")
    if not outside.exists(whole):
        raise invalid_argument(f"The subnetwork {whole} does not exist.", f"{path}.subnetwork")


def _full(name: str, before: str) -> str:
    return name if "/" in name else f"{before}{name}"
