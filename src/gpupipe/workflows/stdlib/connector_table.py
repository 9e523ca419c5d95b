"""The connectors that are here: each a method of an API, with its verb, address and arguments.

Those of Cloud Storage objects and buckets, Cloud Run v2 and Workflow Executions v1. What stands in braces in an
address are arguments that go in as they are given: the caller encodes the name of an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_IF = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch",
       "ifMetagenerationNotMatch")  # fmt: skip
_IF_SOURCE = tuple(f"ifSource{name[2:]}" for name in _IF)
_COMMON = ("projection", "userProject")
_VERSION = ("generation", *_IF, *_COMMON)
_COPY = ("sourceGeneration", *_IF, *_IF_SOURCE, *_COMMON)
_PAGE = ("pageSize", "pageToken")
_STORAGE = "https://storage.googleapis.com"
_RUN = "https://run.googleapis.com/v2"
_EXECUTIONS = "https://workflowexecutions.googleapis.com/v1"


class Wait(Enum):
    """What a connector waits for after its call."""

    OPERATION = "operation"
    EXECUTION = "execution"


@dataclass(frozen=True, slots=True)
class Connector:
    """One method. `optional` arguments go into the query, `required` ones where no brace has them.

    body: whether it takes one; wait: what is polled until it has ended; poll: the address before
    the name of what is polled.
    """

    name: str
    verb: str
    url: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    body: bool = False
    wait: Wait | None = None
    poll: str = ""


def connectors() -> Iterator[Connector]:
    """All of them, but for `executions.run`, which is more than one method."""
    yield from _storage()
    yield from _run()
    yield from _executions()


def _storage() -> Iterator[Connector]:
    bucket, one = "/storage/v1/b/{bucket}/o", ("bucket", "object")
    item = bucket + "/{object}"
    target = "{destinationBucket}/o/{destinationObject}"
    ends = ("sourceBucket", "sourceObject", "destinationBucket", "destinationObject")
    source = "/storage/v1/b/{sourceBucket}/o/{sourceObject}"
    listed = ("delimiter", "endOffset", "includeTrailingDelimiter", "matchGlob", "maxResults",
              "pageToken", "prefix", "startOffset", "versions", *_COMMON)  # fmt: skip
    for method, verb, path, required, optional, body in (
        ("compose", "POST", "/storage/v1/b/{destinationBucket}/o/{destinationObject}/compose",
         ends[2:], ("destinationPredefinedAcl", *_IF, "userProject"), True),
        ("copy", "POST", f"{source}/copyTo/b/{target}", ends, _COPY, True),
        ("delete", "DELETE", item, one, _VERSION, False),
        ("get", "GET", item, one, ("alt", *_VERSION), False),
        ("insert", "POST", "/upload" + bucket, ("bucket",),
         ("contentEncoding", "name", "predefinedAcl", "uploadType", *_IF, *_COMMON), True),
        ("list", "GET", bucket, ("bucket",), listed, False),
        ("patch", "PATCH", item, one, ("predefinedAcl", *_VERSION), True),
        ("rewrite", "POST", f"{source}/rewriteTo/b/{target}", ends,
         ("maxBytesRewrittenPerCall", "rewriteToken", *_COPY), True),
        ("update", "PUT", item, one, ("predefinedAcl", *_VERSION), True),
    ):  # fmt: skip
        name = f"googleapis.storage.v1.objects.{method}"
        yield Connector(name, verb, _STORAGE + path, required, optional, body)
    yield from _buckets()


def _buckets() -> Iterator[Connector]:
    one, named = "/storage/v1/b/{bucket}", ("bucket",)
    conditions = ("ifMetagenerationMatch", "ifMetagenerationNotMatch", *_COMMON)
    for method, verb, path, required, optional, body in (
        ("delete", "DELETE", one, named, conditions, False),
        ("get", "GET", one, named, conditions, False),
        ("insert", "POST", "/storage/v1/b", ("project",), _COMMON, True),
        ("list", "GET", "/storage/v1/b", ("project",),
         ("maxResults", "pageToken", "prefix", *_COMMON), False),
        ("patch", "PATCH", one, named, conditions, True),
        ("update", "PUT", one, named, conditions, True),
    ):  # fmt: skip
        name = f"googleapis.storage.v1.buckets.{method}"
        yield Connector(name, verb, _STORAGE + path, required, optional, body)


def _run() -> Iterator[Connector]:
    policy = ("options.requestedPolicyVersion",)
    operation = Wait.OPERATION
    for collection, method, verb, path, required, optional, body, wait in (
        ("services", "create", "POST", "/{parent}/services", ("parent", "serviceId"),
         ("validateOnly",), True, operation),
        ("services", "delete", "DELETE", "/{name}", ("name",), ("etag", "validateOnly"), False,
         operation),
        ("services", "get", "GET", "/{name}", ("name",), (), False, None),
        ("services", "getIamPolicy", "GET", "/{resource}:getIamPolicy", ("resource",), policy,
         False, None),
        ("services", "list", "GET", "/{parent}/services", ("parent",), (*_PAGE, "showDeleted"),
         False, None),
        ("services", "patch", "PATCH", "/{name}", ("name",),
         ("allowMissing", "updateMask", "validateOnly"), True, operation),
        ("services", "setIamPolicy", "POST", "/{resource}:setIamPolicy", ("resource",), (), True,
         None),
        ("services", "testIamPermissions", "POST", "/{resource}:testIamPermissions", ("resource",),
         (), True, None),
        ("services.revisions", "delete", "DELETE", "/{name}", ("name",), ("etag", "validateOnly"),
         False, operation),
        ("services.revisions", "get", "GET", "/{name}", ("name",), (), False, None),
        ("services.revisions", "list", "GET", "/{parent}/revisions", ("parent",),
         (*_PAGE, "showDeleted"), False, None),
        ("operations", "delete", "DELETE", "/{name}", ("name",), (), False, None),
        ("operations", "get", "GET", "/{name}", ("name",), (), False, None),
        ("operations", "list", "GET", "/{name}/operations", ("name",), _PAGE, False, None),
    ):  # fmt: skip
        name = f"googleapis.run.v2.projects.locations.{collection}.{method}"
        yield Connector(name, verb, _RUN + path, required, optional, body, wait, _RUN)


def _executions() -> Iterator[Connector]:
    for method, verb, path, required, optional, body, wait in (
        ("cancel", "POST", "/{name}:cancel", ("name",), (), True, None),
        ("create", "POST", "/{parent}/executions", ("parent",), (), True, Wait.EXECUTION),
        ("get", "GET", "/{name}", ("name",), ("view",), False, None),
        ("list", "GET", "/{parent}/executions", ("parent",),
         (*_PAGE, "filter", "orderBy", "view"), False, None),
    ):  # fmt: skip
        name = f"{EXECUTIONS}.{method}"
        yield Connector(name, verb, _EXECUTIONS + path, required, optional, body, wait, _EXECUTIONS)


EXECUTIONS = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions"
