"""Audit configurations of the project's policy: which calls Google logs beside those that change something.

They are changed with an update mask, without which Google ignores them, and everything else of
the policy stays as it is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.policy import VERSION

AuditType = tuple[str, str]
"""A service and a type of its calls, as ("storage.googleapis.com", "DATA_READ")."""
ALL_SERVICES = "allServices"
_MASK = ("audit_configs", "etag")


class AuditConfigsApi(Api):
    """The audit configurations of projects."""

    def read(self, project: str) -> Mapping[AuditType, frozenset[str]]:
        """What is logged, each type with the members that are exempted from it."""
        return _types(self._policy(project))

    def edit(
        self, project: str, *, add: Collection[AuditType] = (), remove: Collection[AuditType] = ()
    ) -> None:
        """Add types and remove them; one from which somebody has exempted a member is not removed."""

        def once() -> None:
            policy = self._policy(project)
            present = _types(policy)
            missing = set(add) - present.keys()
            surplus = {one for one in remove if present.get(one) == frozenset()}
            if not missing and not surplus:
                return
            for service, kind in sorted(surplus):
                _remove(policy, service, kind)
            for service, kind in sorted(missing):
                _of_service(policy, service).audit_log_configs.add(log_type=kind)
            name = f"projects/{project}"
            request = {"resource": name, "policy": policy, "update_mask": {"paths": _MASK}}
            self._unary(
                "Changing which calls are logged",
                name,
                self._client.set_iam_policy,
                request,
                idempotent=False,
            )

        self._caller.read_modify_write(once)

    def _policy(self, project: str) -> Any:
        name = f"projects/{project}"
        return self._unary(
            "Reading which calls are logged",
            name,
            self._client.get_iam_policy,
            {"resource": name, "options": {"requested_policy_version": VERSION}},
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("projects")


def _types(policy: Any) -> dict[AuditType, frozenset[str]]:
    found: dict[AuditType, frozenset[str]] = {}
    for config in policy.audit_configs:
        for one in config.audit_log_configs:
            key = (str(config.service), str(type(one).LogType.Name(one.log_type)))
            found[key] = found.get(key, frozenset()) | set(one.exempted_members)
    return found


def _of_service(policy: Any, service: str) -> Any:
    for config in policy.audit_configs:
        if config.service == service:
            return config
    return policy.audit_configs.add(service=service)


def _remove(policy: Any, service: str, kind: str) -> None:
    for index, config in reversed(list(enumerate(policy.audit_configs))):
        if config.service != service:
            continue
        kept = [
            one for one in config.audit_log_configs if type(one).LogType.Name(one.log_type) != kind
        ]
        del config.audit_log_configs[:]
        config.audit_log_configs.extend(kept)
        if not kept:
            del policy.audit_configs[index]
