"""A REST method of another version of an API, as a gRPC method of the version that is emulated.

It is the same method for permissions, faults and the request log; only its JSON is another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gpupipe.localcloud.transport import selection
from gpupipe.localcloud.transport.http_rules import Rule
from gpupipe.localcloud.transport.rest_answer import Parameters
from gpupipe.localcloud.transport.rest_request import json_of, no_parameter


@dataclass(frozen=True, slots=True)
class Given:
    """What a request has: the variables of its path, its query, and its body as JSON."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    region: str
    """What the host began with ("us-central1"), "" for one without."""


@dataclass(frozen=True, slots=True)
class Translation:
    """rule: verb, template and the gRPC method; parameters: the query that the method has.

    handler: what answers in place of the method's own, where version and version differ in more.
    request makes the method's request of what was given, and answer the JSON of its answer; both
    raise ServiceError for what they do not take.
    """

    rule: Rule
    request: Callable[[Given], Message]
    answer: Callable[[Any, Given], Any]
    parameters: frozenset[str] = frozenset()
    handler: Callable[[Any, Any], Message] | None = None

    def understood(
        self, parameters: Parameters, path: Mapping[str, str], body: bytes, region: str
    ) -> tuple[Message, Callable[[Message], Any]]:
        """The request of the method, and how its answer is shown."""
        for name, _ in parameters.query:
            if name not in self.parameters:
                raise no_parameter(name)
        given = Given(path, dict(parameters.query), json_of(body), region)
        tree = parameters.tree()
        return self.request(given), lambda found: selection.kept(tree, self.answer(found, given))
