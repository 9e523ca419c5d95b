"""Which verb and path of REST is which method: `http_rules.txt`, one table for all APIs.

A template is as google.api.http has it. Paths are matched as they are sent, with their escapes: in a
variable of several segments an escaped slash stays escaped ("metrics/a%2Fb"), all else is decoded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{([\w.]+)(?:=([^}]*))?\}")
# A colon begins a verb ("services/a:enable"), but for that of a digest ("versions/sha256:0a1b...").
_SEGMENT = "(?:[^/:]|:(?=[0-9a-f]{64}))+"
_PARTS = {"*": _SEGMENT, "**": f"{_SEGMENT}(?:/{_SEGMENT})*"}
_SLASH = re.compile("%2f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """method: the full gRPC path; body: the field that the body is, "*" for the whole request."""

    method: str
    verb: str
    template: str
    body: str = ""

    def pattern(self) -> re.Pattern[str]:
        """What a path has to match; its groups are the values of `variables`."""
        parts, at = [], 0
        for match in _VARIABLE.finditer(self.template):
            parts += [re.escape(self.template[at : match.start()]), f"({_segments(match[2])})"]
            at = match.end()
        return re.compile("".join([*parts, re.escape(self.template[at:])]))

    def variables(self) -> tuple[tuple[str, bool], ...]:
        """The fields that the path fills, by their dotted paths; True where it is of one segment."""
        return tuple((path, form in {"", "*"}) for path, form in _VARIABLE.findall(self.template))


def value(text: str, *, single: bool) -> str:
    """What a matched part of a path says; in several segments an escaped slash is not one of them."""
    return unquote(text if single else _SLASH.sub("%252F", text))


def rules() -> Iterator[Rule]:
    """The table."""
    service = ""
    text = files(__package__).joinpath("http_rules.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1:
            service = words[0]
        elif words and words[0] != "#":
            yield Rule(f"/{service}/{words[0]}", *words[1:])


def _segments(form: str | None) -> str:
    return "/".join(_PARTS.get(part, re.escape(part)) for part in (form or "*").split("/"))
