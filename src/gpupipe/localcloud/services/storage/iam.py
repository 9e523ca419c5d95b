"""IAM policies of buckets, over the kernel's policies."""

from google.iam.v1 import policy_pb2
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from gpupipe.localcloud.kernel import policy_rules
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import access
from gpupipe.localcloud.services.storage.buckets import Bucket, Buckets, resource_of
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request, required

_PUBLIC = {"allUsers", "allAuthenticatedUsers"}


class BucketPolicies:
    """getIamPolicy, setIamPolicy, testIamPermissions."""

    def __init__(self, kernel: Kernel, buckets: Buckets) -> None:
        self._kernel = kernel
        self._buckets = buckets

    def get(self, request: Inbound) -> Reply:
        """The policy with its etag."""
        bucket = self._buckets.get(request.bucket)
        version = request.integer("optionsRequestedPolicyVersion")
        policy_rules.check_requested_version(version or 0)
        return self._reply(bucket, self._kernel.policies.get(resource_of(bucket.name)))

    def set(self, request: Inbound) -> Reply:
        """Replace the policy; a stale etag is refused by the kernel."""
        bucket = self._buckets.get(request.bucket)
        policy = _parse(request.json())
        members = {member for binding in policy.bindings for member in binding.members}
        if bucket.public_access_prevented and members & _PUBLIC:
            raise StorageError(
                412,
                "conditionNotMet",
                "The member bindings allUsers and allAuthenticatedUsers are not allowed since "
                "public access prevention is enforced.",
            )
        stored = self._kernel.policies.set(
            resource_of(bucket.name), policy, known_member=self._kernel.identity.knows
        )
        return self._reply(bucket, stored)

    def test(self, request: Inbound) -> Reply:
        """Which of the permissions in the query the caller holds."""
        self._buckets.get(request.bucket)
        permissions = request.repeated.get("permissions", ())
        if not permissions:
            raise required("permissions")
        policy_rules.check_tested(permissions)
        held = [
            permission
            for permission in permissions
            if access.may(self._kernel, request.caller, permission, request.bucket)
        ]
        body: Json = {"kind": "storage#testIamPermissionsResponse"}
        return Reply(body={**body, "permissions": held} if held else body)

    def grant_defaults(self, bucket: Bucket) -> None:
        """The bindings that Cloud Storage gives a new bucket to its project's basic roles.

        Without them an owner of the project reads no object. The object roles stand in for the
        default object ACL of a bucket without uniform access, as ACLs are not emulated.
        """
        keepers = [f"projectEditor:{bucket.project}", f"projectOwner:{bucket.project}"]
        viewers = [f"projectViewer:{bucket.project}"]
        policy = policy_pb2.Policy()
        for kind in ("Bucket", "Object"):
            policy.bindings.add(role=f"roles/storage.legacy{kind}Owner", members=keepers)
            policy.bindings.add(role=f"roles/storage.legacy{kind}Reader", members=viewers)
        self._kernel.policies.put(resource_of(bucket.name), policy)

    def _reply(self, bucket: Bucket, policy: policy_pb2.Policy) -> Reply:
        body = {
            "kind": "storage#policy",
            "resourceId": resource_of(bucket.name),
            "version": policy.version or 1,
            "bindings": [],
            **MessageToDict(policy),
        }
        return Reply(body=body)


def _parse(body: Json) -> policy_pb2.Policy:
    known = {k: v for k, v in body.items() if k not in {"kind", "resourceId"}}
    try:
        policy = ParseDict(known, policy_pb2.Policy())
    except ParseError as error:
        raise bad_request(f"Invalid policy: {error}") from error
    if body.get("etag") and not policy.etag:
        # What is no base64 reads as nothing, which would replace whatever policy there is.
        raise bad_request(f"Invalid policy: the etag {body['etag']!r} is not one.")
    return policy
