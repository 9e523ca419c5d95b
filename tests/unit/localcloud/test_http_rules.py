"""The table of REST: the paths of the official clients, and how a path is read."""

import inspect
import re
from collections import defaultdict
from dataclasses import replace

import pytest
from tests.support.refusals import CLIENTS, client_class

from gpupipe.localcloud.transport.http_rules import Rule, rules, value

OPERATIONS = "google.longrunning.Operations"
_STUB = re.compile(r'"/([\w.]+)/(\w+)"')
# Rows that no client library has: those of older versions of an API that gcloud and others call,
# and those of builds' operations.
BEYOND = {
    ("google.cloud.resourcemanager.v3.Projects", "/v1/"),
    ("google.cloud.run.v2.Services", "/v1/"),
    (OPERATIONS, "/v1/{name=operations/**}"),
    (OPERATIONS, "/v1/{name=operations/**}:cancel"),
}
# Services whose clients read and set policies at another one, which is there over REST alone here.
IAM_POLICY = "google.iam.v1.IAMPolicy"
WITH_IAM_POLICY = {
    "google.cloud.eventarc.v1.Eventarc", "google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber",
}  # fmt: skip
# Rows of the libraries that are covered by a wider one of the table.
COVERED = {Rule(f"/{OPERATIONS}/GetOperation", "GET", "/v1/{name=operations/*}")}

Table = dict[str, set[Rule]]


def library() -> Table:
    """Each gRPC service with the rules of its client's REST transport, where it has one."""
    found: Table = defaultdict(set)
    for api in CLIENTS:
        client = client_class(api)
        if "rest" not in client._transport_registry:
            continue
        stubs = _STUB.findall(inspect.getsource(client.get_transport_class("grpc")))
        base = client.get_transport_class("rest").__mro__[1]
        for service, method in stubs:
            options = getattr(base, f"_Base{method}", None)
            for one in getattr(options, "_get_http_options", tuple)():
                path = f"/{service}/{method}"
                rule = Rule(path, one["method"].upper(), one["uri"], one.get("body", ""))
                found[service].add(rule)
    return found


def table() -> Table:
    found: Table = defaultdict(set)
    for rule in rules():
        found[service_of(rule)].add(rule)
    return found


def service_of(rule: Rule) -> str:
    return rule.method[1:].partition("/")[0]


def is_beyond(rule: Rule) -> bool:
    return any(
        service_of(rule) == service and (start in {rule.template, rule.template[:4]})
        for service, start in BEYOND
    )


def test_the_rows_are_those_of_the_official_clients() -> None:
    theirs, ours = library(), table()
    assert len(theirs) > 12
    policies = theirs.pop(IAM_POLICY)
    for service, options in theirs.items():
        found = {rule for rule in ours[service] if not is_beyond(rule)}
        of_policies = {rule for rule in found if is_of_policies(rule)}
        assert {at_iam_policy(rule) for rule in of_policies} <= policies
        emulated = {rule.method for rule in found}
        expected = {rule for rule in options if rule.method in emulated} - COVERED
        assert found - of_policies == expected


def is_of_policies(rule: Rule) -> bool:
    return service_of(rule) in WITH_IAM_POLICY and "Iam" in rule.method


def at_iam_policy(rule: Rule) -> Rule:
    return replace(rule, method=rule.method.replace(service_of(rule), IAM_POLICY))


def test_no_row_is_there_twice() -> None:
    found = [(rule.verb, re.sub(r"\{[\w.]+=?", "{", rule.template)) for rule in rules()]
    shared = [one for one in found if found.count(one) > 1]
    assert shared == []


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("/v1/{name=projects/*}", "/v1/projects/p", {"name": "projects/p"}),
        ("/v1/{name=projects/*}", "/v1/projects/p/q", None),
        ("/v1/{name=projects/*}", "/v1/projects/", None),
        ("/v1/{name=projects/*}", "/v1/projects/p:undelete", None),
        ("/v1/{name=projects/*}:a", "/v1/projects/p:a", {"name": "projects/p"}),
        ("/v1/{name=a/*}", f"/v1/a/sha256:{'0' * 64}", {"name": f"a/sha256:{'0' * 64}"}),
        ("/v1/{name=a/*}", "/v1/a/b%2Fc%20d%3A", {"name": "a/b%2Fc d:"}),
        ("/v1/{id}/x", "/v1/b%2Fc/x", {"id": "b/c"}),
        ("/v1/{name=a/**}", "/v1/a/b/c", {"name": "a/b/c"}),
        ("/v1/{name=a/**}", "/v1/a", None),
        ("/v1.1/{name=*/*}", "/v1x1/a/b", None),
    ],
)
def test_a_path_is_read(template: str, path: str, found: dict[str, str] | None) -> None:
    rule = Rule("/s/M", "GET", template)
    match = rule.pattern().fullmatch(path)
    if match is None:
        assert found is None
        return
    read = zip(rule.variables(), match.groups(), strict=True)
    assert {name: value(text, single=single) for (name, single), text in read} == found
