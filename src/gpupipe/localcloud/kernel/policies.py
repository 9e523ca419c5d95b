"""IAM policies by resource: read, replaced under an etag, never half-changed.

A resource without a policy has an empty one with an etag, so that read-modify-write always works.
Conditions are refused as not emulated: a condition that nobody evaluates would grant too much.
"""

import re
import secrets
from collections.abc import Callable

from google.iam.v1 import policy_pb2

from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument, unimplemented
from gpupipe.localcloud.kernel.roles import ROLES
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS policies (
        resource TEXT PRIMARY KEY, body BLOB NOT NULL, etag BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS policy_members (
        resource TEXT NOT NULL REFERENCES policies ON DELETE CASCADE, member TEXT NOT NULL,
        PRIMARY KEY (member, resource))""",
)
# What Google answers for a resource that never had a policy ("ACAB" in base64); own knowledge.
_EMPTY_ETAG = b"\x00\x20\x01"
# reference/gcp-facts §6, from recorded use.
_CONCURRENT = (
    "There were concurrent policy changes. "
    "Please retry the whole read-modify-write with exponential backoff."
)
_PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
_MEMBER = re.compile(
    r"(deleted:)?(user|serviceAccount|group):[^\s:]+@[^\s:]+|domain:[^\s:]+"
    r"|project(Owner|Editor|Viewer):[^\s:]+"
)
_ROLE = re.compile(r"roles/[a-zA-Z0-9_.]+|(projects|organizations)/[^/]+/roles/[a-zA-Z0-9_.]+")


class Policies:
    """The policies of one local cloud; resource names are those of `Rpc.resource`."""

    def __init__(self, database: Database) -> None:
        self._database = database
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

    def set(
        self, resource: str, policy: policy_pb2.Policy, *, known_member: Callable[[str], bool]
    ) -> policy_pb2.Policy:
        """Replace the policy; `known_member` tells whether a member ("serviceAccount:…") exists.

        ABORTED when `policy.etag` is set and is not the current one; INVALID_ARGUMENT for a bad
        member or role; UNIMPLEMENTED for conditions and for roles that the local cloud lacks.
        """
        clean = _normalised(policy)
        _check(clean, known_member)
        with self._database.transaction():
            if policy.etag and policy.etag != self.get(resource).etag:
                raise ServiceError(Code.ABORTED, _CONCURRENT)
            self._store(resource, clean)
            return self.get(resource)

    def grant(self, resource: str, role: str, member: str) -> None:
        """Add one binding on behalf of the platform itself; no change when it is there."""
        with self._database.transaction():
            policy = self.get(resource)
            policy.bindings.add(role=role, members=[member])
            clean = _normalised(policy)
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
                self._store(resource, _normalised(policy))

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


def _normalised(policy: policy_pb2.Policy) -> policy_pb2.Policy:
    """One binding per role, members sorted and once each, no empty binding; without the etag."""
    if any(binding.HasField("condition") for binding in policy.bindings):
        raise unimplemented("conditions in IAM policies")
    roles: dict[str, set[str]] = {}
    for binding in policy.bindings:
        roles.setdefault(binding.role, set()).update(binding.members)
    clean = policy_pb2.Policy(version=policy.version or 1)
    for role in sorted(roles):
        if roles[role]:
            clean.bindings.add(role=role, members=sorted(roles[role]))
    return clean


def _check(policy: policy_pb2.Policy, known_member: Callable[[str], bool]) -> None:
    for binding in policy.bindings:
        if not _ROLE.fullmatch(binding.role):
            raise invalid_argument(
                f"Role name must be in the format roles/ROLE: {binding.role!r}.", "policy.bindings"
            )
        if binding.role not in ROLES:
            raise unimplemented(f"the role {binding.role}")
        for member in binding.members:
            _check_member(member, known_member)


def _check_member(member: str, known_member: Callable[[str], bool]) -> None:
    if member in _PUBLIC:
        return
    if not _MEMBER.fullmatch(member):
        raise invalid_argument(f"Invalid principal in the policy: {member!r}.", "policy.bindings")
    if member.startswith("serviceAccount:") and not known_member(member):
        # reference/gcp-facts §6
        email = member.partition(":")[2]
        raise invalid_argument(f"Service account {email} does not exist.", "policy.bindings")
