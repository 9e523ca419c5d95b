"""What pipelines name of APIs that are not emulated: networks, subnetworks, connectors, keys.

One is there because the operator said so. A project has the network `default` and a subnetwork of
that name in each region from the start, as one that was made by hand has them (own knowledge). What
a key encrypts is not encrypted here: the local cloud knows who may use it, and no more.
"""

import re
from collections.abc import Collection

from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument, not_found
from gpupipe.localcloud.kernel.agents import ServiceAgents
from gpupipe.localcloud.kernel.authorization import Authorizer
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.kernel.projects import Projects
from gpupipe.localcloud.store.resources import Resources

KIND = "outside"
ENCRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
USE = "cloudkms.cryptoKeyVersions.useToEncrypt"
_PART = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)"
_KEY_PART = r"([A-Za-z0-9_-]{1,63})"
_FORMS = {
    "network": f"projects/{_PART}/global/networks/{_PART}",
    "subnetwork": f"projects/{_PART}/regions/{_PART}/subnetworks/{_PART}",
    "connector": f"projects/{_PART}/locations/{_PART}/connectors/{_PART}",
    "key": f"projects/{_PART}/locations/{_PART}/keyRings/{_KEY_PART}/cryptoKeys/{_KEY_PART}",
}
_DEFAULT = re.compile(r"projects/[^/]+/(global/networks|regions/[^/]+/subnetworks)/default")


class Outside:
    """Names that count as there, and who may use a key."""

    def __init__(
        self,
        resources: Resources,
        projects: Projects,
        policies: Policies,
        authorizer: Authorizer,
        agents: ServiceAgents,
    ) -> None:
        self._resources = resources
        self._projects = projects
        self._policies = policies
        self._authorizer = authorizer
        self._agents = agents

    def kind_of(self, name: str) -> str:
        """ "network", "subnetwork", "connector" or "key"; INVALID_ARGUMENT for another name."""
        for kind, form in _FORMS.items():
            if re.fullmatch(form, name):
                return kind
        raise invalid_argument(
            f"{name!r} is none of projects/P/global/networks/N, projects/P/regions/R/subnetworks/S, "
            "projects/P/locations/L/connectors/C and "
            "projects/P/locations/L/keyRings/R/cryptoKeys/K.",
            "name",
        )

    def add(self, name: str, encrypters: Collection[str] = ()) -> None:
        """Let something be there; the accounts `encrypters` may use it, if it is a key."""
        kind = self.kind_of(name)
        if encrypters and kind != "key":
            raise invalid_argument("Only a key has encrypters.", "encrypters")
        project = self._projects.ensure(name.split("/")[1])
        own = self._own(name)
        self._resources.put(KIND, own, project.name, kind.encode())
        if kind == "key":
            self._projects.set_enabled(project.id, "cloudkms.googleapis.com", enabled=True)
        for email in encrypters:
            self._policies.grant(own, ENCRYPTER, f"serviceAccount:{email}")

    def remove(self, name: str) -> None:
        """Take it away, with its policy; NOT_FOUND."""
        own = self._own(name)
        if self._resources.get(KIND, own) is None:
            raise not_found(f"{name} was not added.")
        self._resources.delete(KIND, own)
        self._policies.delete(own)

    def all(self) -> dict[str, str]:
        """What was added: its name -> its kind."""
        return {one.name: one.body.decode() for one in self._resources.all(KIND)}

    def exists(self, name: str) -> bool:
        """Whether something is there."""
        added = self._resources.get(KIND, self._own(name)) is not None
        return added or _DEFAULT.fullmatch(name) is not None

    def key_name(self, name: str) -> str:
        """The name that a key's policy is kept under; NOT_FOUND."""
        if self._resources.get(KIND, self._own(name)) is None:
            raise not_found(f"CryptoKey {name} not found.")  # own words
        return self._own(name)

    def encrypters(self, key: str) -> tuple[str, ...]:
        """The members that hold the role of using a key."""
        policy = self._policies.get(self._own(key))
        return tuple(
            one for binding in policy.bindings if binding.role == ENCRYPTER
            for one in binding.members
        )  # fmt: skip

    def check_key(self, key: str, *, project: str, location: str, api: str, path: str) -> None:
        """Raise unless the service agent of an API may encrypt what is in a location with a key."""
        if not re.fullmatch(_FORMS["key"], key):
            raise invalid_argument(
                f"Invalid key {key!r}: expected "
                "projects/P/locations/L/keyRings/R/cryptoKeys/K.",
                path,
            )  # fmt: skip
        where = key.split("/")[3]
        if where != location:
            raise invalid_argument(
                f"The key {key} is in {where}; what it encrypts is in {location}.", path
            )
        agent = self._agents.agent_email(api, project)
        if self._may_use(key, agent):
            return
        raise ServiceError(
            Code.PERMISSION_DENIED,
            f"Permission denied on Cloud KMS key {key} (or it may not exist). Please ensure that "
            f"the service agent {agent} has been authorized to use it ({ENCRYPTER}).",
        )

    def _may_use(self, key: str, agent: str) -> bool:
        own = self._own(key)
        there = self._resources.get(KIND, own) is not None
        return there and self._authorizer.allowed(f"serviceAccount:{agent}", USE, own)

    def _own(self, name: str) -> str:
        """With the project's id, whichever of id and number a name has."""
        parts = name.split("/")
        project = self._projects.get(parts[1]) if len(parts) > 1 else None
        return "/".join([parts[0], project.id, *parts[2:]]) if project else name
