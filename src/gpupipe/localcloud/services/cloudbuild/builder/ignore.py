""".dockerignore: which files of a context are left out of COPY."""

import re
from pathlib import Path


class Ignored:
    """Patterns in their order; the last one that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            keep = pattern.startswith("!")
            pattern = pattern.removeprefix("!").strip().strip("/").removeprefix("./")
            self._rules.append((keep, re.compile(expression(pattern) + r"(?:/.*)?", re.DOTALL)))

    @classmethod
    def of(cls, context: Path) -> "Ignored":
        """The patterns of a context's .dockerignore; none without one."""
        file = context / ".dockerignore"
        return cls(file.read_text("utf-8") if file.is_file() else "")

    def __contains__(self, path: object) -> bool:
        ignored = False
        for keep, pattern in self._rules:
            if pattern.fullmatch(str(path)):
                ignored = not keep
        return ignored


def expression(pattern: str) -> str:
    """Docker's pattern (`*`, `?`, `[a-z]`, `**`) as a regular expression."""
    result, at = [], 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            result.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            result.append(".*")
            at += 2
        elif pattern[at] == "[" and (end := pattern.find("]", at + 1)) > 0:
            result.append("[" + pattern[at + 1 : end].replace("\\", r"\\") + "]")
            at = end + 1
        else:
            result.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return "".join(result)
