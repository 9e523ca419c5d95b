"""`matchGlob` of lists: `*` within a folder, `**` across folders, `?`, `[a-z]`, `{one,two}`."""

import re

from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request

_TOKEN = re.compile(r"\*\*/?|\*|\?|\[!?[^\]]+\]|[{},]|\\.|.", re.DOTALL)
_MAX = 1024


def compiled(glob: str) -> re.Pattern[str]:
    """The expression that whole names must match; 400 for a pattern that is not one."""
    if len(glob) > _MAX:
        raise _invalid(glob)
    depth, parts = 0, []
    for sign in _TOKEN.findall(glob):
        depth += (sign == "{") - (sign == "}")
        if depth not in {0, 1} or sign == "[":
            raise _invalid(glob)
        parts.append(_part(sign, within=depth > 0))
    if depth:
        raise _invalid(glob)
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise _invalid(glob) from error


def _part(sign: str, *, within: bool) -> str:
    if sign == "," and within:
        return "|"
    fixed = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
    if sign in fixed:
        return fixed[sign]
    if sign.startswith("["):
        return _signs(sign)
    return re.escape(sign[-1])


def _signs(sign: str) -> str:
    inner = sign[1:-1]
    negated = inner.startswith("!")
    escaped = re.sub(r"([\\^\[\]&~|])", r"\\\1", inner.removeprefix("!"))
    return f"[{'^/' if negated else ''}{escaped}]"


def _invalid(glob: str) -> StorageError:
    return bad_request(f"Invalid value for matchGlob: '{glob}'.")
