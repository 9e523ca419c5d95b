"""IAM policies by resource: read, replaced under an etag, never half-changed.

A resource without a policy has an empty one with an etag, so that read-modify-write always works.
What a caller grants takes effect after the propagation delay; what he takes away, at once.
"""

import secrets
from collections.abc import Callable, Collection, Iterator

from google.iam.v1 import policy_pb2

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel import policy_rules
from gpupipe.localcloud.kernel.delays import Delays
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS policies (
        resource TEXT PRIMARY KEY, body BLOB NOT NULL, etag BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS policy_members (
        resource TEXT NOT NULL REFERENCES policies ON DELETE CASCADE, member TEXT NOT NULL,
        PRIMARY KEY (member, resource))""",
    """CREATE TABLE IF NOT EXISTS policy_audits (
        resource TEXT NOT NULL REFERENCES policies ON DELETE CASCADE, service TEXT NOT NULL,
        log_type INTEGER NOT NULL, PRIMARY KEY (resource, service, log_type))""",
)
# What Google answers for a resource that never had a policy ("ACAB" in base64); own knowledge.
_EMPTY_ETAG = b"\x00\x20\x01"
# reference/gcp-facts §6, from recorded use.
_CONCURRENT = (
    "There were concurrent policy changes. "
    "Please retry the whole read-modify-write with exponential backoff."
)


class Policies:
    """The policies of one local cloud; resource names are those of `Rpc.resource`."""

    def __init__(self, database: Database, delays: Delays) -> None:
        self._database = database
        self._delays = delays
        database.define(*_SCHEMA)

    def get(self, resource: str) -> policy_pb2.Policy:
        """The policy, with its etag; an empty one when there is none."""
        row = (
            self._database.read()
            .execute("SELECT body, etag FROM policies WHERE resource=?", (resource,))
            .fetchone()
        )
        if row is None:
            return policy_pb2.Policy(version=1, etag=_EMPTY_ETAG)
        policy = policy_pb2.Policy.FromString(row["body"])
        policy.etag = row["etag"]
        return policy

    def effective(self, resource: str) -> policy_pb2.Policy:
        """The policy without what was granted a moment ago."""
        policy = self.get(resource)
        if waiting := self._delays.waiting(_scope(resource)):
            for binding in policy.bindings:
                binding.members[:] = [
                    member
                    for member in binding.members
                    if _grant(binding.role, member) not in waiting
                ]
        return policy

    def audits(self, resource: str, service: str, log_type: int, member: str) -> bool:
        """Whether a resource's policy has calls of a member logged that have this type of permission."""
        services = (service, policy_rules.ALL_SERVICES)
        row = self._database.read().execute(
            "SELECT 1 FROM policy_audits WHERE resource=? AND service IN (?, ?) AND log_type=?",
            (resource, *services, log_type),
        )
        return row.fetchone() is not None and not any(
            member in one.exempted_members
            for config in self.get(resource).audit_configs
            for one in config.audit_log_configs
            if config.service in services and one.log_type == log_type
        )

    def set(
        self,
        resource: str,
        policy: policy_pb2.Policy,
        *,
        known_member: Callable[[str], bool],
        fields: Collection[str] = policy_rules.BINDINGS,
    ) -> policy_pb2.Policy:
        """Replace the policy; `known_member` tells whether a member ("serviceAccount:…") exists.

        fields: what of it is replaced; the rest of `policy` is not looked at.
        ABORTED when `policy.etag` is set and is not the current one; else as the `policy_rules`.
        """
        asked = policy_rules.masked(policy, policy_pb2.Policy(), fields)
        policy_rules.check(asked, known_member)
        policy_rules.check_supported(resource, asked)
        with self._database.transaction():
            before = self.get(resource)
            policy = policy_rules.masked(policy, before, fields)
            if policy.etag and policy.etag != before.etag:
                raise ServiceError(Code.ABORTED, _CONCURRENT)
            if resource.count("/") == 1:
                policy_rules.check_project(before, policy)
            self.put(resource, policy)
            old, new = set(_grants(before)), set(_grants(policy))
            self._delays.end(_scope(resource), *(old - new))
            self._delays.begin(_scope(resource), *(new - old))
            return self.get(resource)

    def put(self, resource: str, policy: policy_pb2.Policy) -> None:
        """Replace the policy on behalf of the platform itself, unchecked, with effect at once."""
        self._store(resource, policy_rules.normalised(policy))

    def grant(self, resource: str, role: str, member: str) -> None:
        """Add one binding on behalf of the platform itself; no change when it is there."""
        with self._database.transaction():
            policy = self.get(resource)
            policy.bindings.add(role=role, members=[member])
            clean = policy_rules.normalised(policy)
            if clean.bindings != self.get(resource).bindings:
                self._store(resource, clean)

    def delete(self, resource: str) -> None:
        """Forget the policy of a resource that is gone."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM policies WHERE resource=?", (resource,))

    def mark_deleted_member(self, email: str, uid: str) -> None:
        """Show an account as `deleted:serviceAccount:EMAIL?uid=UID` wherever it was named."""
        old, new = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid={uid}"
        with self._database.transaction():
            for resource in self.resources_with_member(old):
                policy = self.get(resource)
                for binding in policy.bindings:
                    members = [new if member == old else member for member in binding.members]
                    binding.members[:] = members
                self._store(resource, policy_rules.normalised(policy))

    def resources_with_member(self, member: str) -> tuple[str, ...]:
        """The resources whose policy names a member, by name."""
        rows = self._database.read().execute(
            "SELECT resource FROM policy_members WHERE member=? ORDER BY resource", (member,)
        )
        return tuple(resource for (resource,) in rows)

    def _store(self, resource: str, policy: policy_pb2.Policy) -> None:
        members = {member for binding in policy.bindings for member in binding.members}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO policies (resource, body, etag) VALUES (?, ?, ?) "
                "ON CONFLICT (resource) DO UPDATE SET body=excluded.body, etag=excluded.etag",
                (resource, policy.SerializeToString(), secrets.token_bytes(8)),
            )
            connection.execute("DELETE FROM policy_members WHERE resource=?", (resource,))
            connection.executemany(
                "INSERT INTO policy_members (resource, member) VALUES (?, ?)",
                [(resource, member) for member in sorted(members)],
            )
            connection.execute("DELETE FROM policy_audits WHERE resource=?", (resource,))
            connection.executemany(
                "INSERT INTO policy_audits (resource, service, log_type) VALUES (?, ?, ?)",
                [
                    (resource, config.service, one.log_type)
                    for config in policy.audit_configs
                    for one in config.audit_log_configs
                ],
            )


def _scope(resource: str) -> str:
    return f"policy:{resource}"


def _grant(role: str, member: str) -> str:
    return f"{role} {member}"


def _grants(policy: policy_pb2.Policy) -> Iterator[str]:
    for binding in policy.bindings:
        for member in binding.members:
            yield _grant(binding.role, member)
