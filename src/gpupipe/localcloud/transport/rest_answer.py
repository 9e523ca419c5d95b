"""What the system parameters of a REST call ask of its answer: which fields, and enums as numbers."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from gpupipe.localcloud.errors import ServiceError, invalid_argument, unimplemented
from gpupipe.localcloud.transport import selection
from gpupipe.localcloud.transport.rest_request import field_of, is_open
from gpupipe.localcloud.transport.selection import Tree

_ALT = frozenset({"alt", "$alt"})
_FIELDS = frozenset({"fields", "$fields"})
# They change nothing here. Others that every method of Google's takes are refused by name.
_IGNORED = frozenset({"prettyPrint", "$prettyPrint", "quotaUser", "key"})
_REFUSED = frozenset(
    {"callback", "$callback", "access_token", "oauth_token", "upload_protocol", "uploadType",
     "$.xgafv", "trace"}
)  # fmt: skip
_NUMBERS = "json;enum-encoding=int"
_FORMS = frozenset({"json", "json;enum-encoding=string", _NUMBERS})
_OTHER_FORMS = frozenset({"media", "proto", "sse"})


class Parameters:
    """The parameters of a call: `query` are those of its method.

    mask: the header X-Goog-FieldMask, which is another place for `fields`.
    Raises ServiceError for a system parameter that is wrong or not emulated.
    """

    def __init__(self, given: Sequence[tuple[str, str]], mask: str = "") -> None:
        self.query: list[tuple[str, str]] = []
        self._numbers = False
        self._fields = mask
        for name, value in given:
            self._take(name, value)

    def selected(self, kind: type[Message]) -> Tree:
        """The part of an answer of that kind that is wanted; INVALID_ARGUMENT for no such part."""
        return _in_json(self.tree(), kind.DESCRIPTOR, "")

    def tree(self) -> Tree:
        """What `fields` says."""
        if not self._fields:
            return {}
        try:
            return selection.read(self._fields.replace(".", "/"))
        except ValueError as error:
            raise invalid_argument(f"Invalid field selection {self._fields}", "fields") from error

    def shown(self, answer: Message, tree: Tree) -> dict[str, Any]:
        """The answer as JSON."""
        whole = MessageToDict(answer, use_integers_for_enums=self._numbers)
        found: dict[str, Any] = selection.kept(tree, whole)
        return found

    def _take(self, name: str, value: str) -> None:
        if name in _REFUSED:
            raise unimplemented(f"the parameter {name!r}")
        if name in _ALT:
            _check_form(name, value)
            self._numbers = self._numbers or value == _NUMBERS
        elif name in _FIELDS:
            self._fields = value
        elif name not in _IGNORED:
            self.query.append((name, value))


def _check_form(name: str, value: str) -> None:
    if value.partition(";")[0] in _OTHER_FORMS:
        raise unimplemented(f"answers in the form {name}={value}")
    if value not in _FORMS:
        raise invalid_argument(
            f"Invalid value {value!r} for the parameter {name}.", name
        )  # own words


def _in_json(tree: Tree, descriptor: Any, place: str) -> Tree:
    """The tree with the names of JSON; a name that no field has is refused."""
    if descriptor is None or is_open(descriptor):
        return tree
    if descriptor.GetOptions().map_entry:
        below = descriptor.fields_by_name["value"].message_type
        return {key: _in_json(part, below, f"{place}{key}.") for key, part in tree.items()}
    return dict(_named(name, part, descriptor, place) for name, part in tree.items())


def _named(name: str, part: Tree, descriptor: Any, place: str) -> tuple[str, Tree]:
    if name == "*":
        return name, part
    field = field_of(descriptor, name)
    if field is None or (part and field.message_type is None):
        raise _no_path(f"{place}{name}")
    return field.json_name, _in_json(part, field.message_type, f"{place}{name}.")


def _no_path(path: str) -> ServiceError:
    return invalid_argument(
        f"Error expanding 'fields' parameter. Cannot find matching fields for path '{path}'.",
        "fields",
    )
