"""google.monitoring.v3.AlertPolicyService: alert policies as they are stored."""

from collections.abc import Callable
from typing import Any

from google.cloud import monitoring_v3 as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring import alert_rules
from gpupipe.localcloud.services.monitoring.alert_rules import AlertPolicy
from gpupipe.localcloud.services.monitoring.names import new_id
from gpupipe.localcloud.services.monitoring.store import Store
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_COLLECTION = "alertPolicies"
_READ_ONLY = ("name", "validity", "creation_record", "mutation_record")


def policies_of(kernel: Kernel) -> Store:
    """The stored policies."""
    return Store(kernel, "monitoring.alertPolicy", _COLLECTION, AlertPolicy)


class AlertPolicies:
    """Create, get, list, update, delete; `channels` are those that a policy may name."""

    def __init__(self, kernel: Kernel, channels: Store) -> None:
        self._kernel = kernel
        self._channels = channels
        self._policies = policies_of(kernel)

    def create(self, request: Any, call: Call) -> Any:
        """CreateAlertPolicy; names of policy and conditions are the server's."""
        parent = self._policies.parent(request.name, "name")
        policy = AlertPolicy()
        policy.CopyFrom(request.alert_policy)
        for field in _READ_ONLY:
            policy.ClearField(field)
        alert_rules.check(policy, self._known_in(parent))
        policy.name = f"{parent}/{_COLLECTION}/{new_id()}"
        if not policy.HasField("enabled"):
            policy.enabled.value = True
        self._policies.record(policy.creation_record, call)
        with self._kernel.database.transaction():
            return self._put(policy, frozenset(), call)

    def get(self, request: Any, _: Call) -> Any:
        """GetAlertPolicy."""
        return self._policies.existing(self._policies.key(request.name, "name"))

    def list(self, request: Any, _: Call) -> Any:
        """ListAlertPolicies."""
        parent = self._policies.parent(request.name, "name")
        policies, token = self._policies.page(parent, request)
        return raw(pb.ListAlertPoliciesResponse)(
            alert_policies=policies,
            next_page_token=token,
            total_size=len(self._policies.all(parent)),
        )

    def update(self, request: Any, call: Call) -> Any:
        """UpdateAlertPolicy; conditions that come with their name keep it."""
        key = self._policies.key(request.alert_policy.name, "alert_policy.name")
        with self._kernel.database.transaction():
            old = self._policies.existing(key)
            policy = merged(
                old,
                request.alert_policy,
                request.update_mask,
                path="alert_policy",
                without_mask=WithoutMask.WHOLE,
                keep=_READ_ONLY,
            )
            alert_rules.check(policy, self._known_in(key.partition(f"/{_COLLECTION}/")[0]))
            return self._put(policy, frozenset(one.name for one in old.conditions), call)

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteAlertPolicy."""
        with self._kernel.database.transaction():
            self._policies.delete(self._policies.key(request.name, "name"))
        return Empty()

    def _known_in(self, parent: str) -> Callable[[str], bool]:
        project = parent.removeprefix("projects/")
        return lambda metric: self._kernel.metrics.descriptor(project, metric) is not None

    def _put(self, policy: Any, known: frozenset[str], call: Call) -> Any:
        for condition in policy.conditions:
            if condition.name and condition.name not in known:
                path = "alert_policy.conditions.name"
                raise invalid_argument(f"The policy has no condition {condition.name!r}.", path)
            condition.name = condition.name or f"{policy.name}/conditions/{new_id()}"
        self._name_channels(policy)
        self._policies.record(policy.mutation_record, call)
        self._policies.put(policy.name, policy)
        return policy

    def _name_channels(self, policy: Any) -> None:
        """Channels exist, and are named by the project's id."""
        path = "alert_policy.notification_channels"
        keys = [self._channels.key(name, path) for name in policy.notification_channels]
        for key in keys:
            self._channels.existing(key)
        del policy.notification_channels[:]
        policy.notification_channels.extend(keys)
