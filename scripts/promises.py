"""Shows for each promise of the recipe that gpupipe replaces whether it is kept, and which tests prove it.

A test proves a promise by `@pytest.mark.promise(41)`, `promise("S20")` or `promise("D1")`: numbers 1 to
154 are the recipe's README promises, S1 to S85 those of its sources, D1 to D31 its defects, which must
not come back. Such a test must fail when its feature is switched off. What each promise is, and why
one is replaced, planned or open, is in promises.toml. States:

- proven: a test is tagged with it.
- replaced: on purpose kept in another way; the tagged test proves what stands in its place.
- planned: not there yet, with where that is said.
- open: nothing proves it, with the reason.

Usage: python scripts/promises.py [--missing]. Exit code 1 where a tag or the table names a promise
that does not exist, or says why one is missing that is not.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_name("promises.toml")
GROUPS = {"README": "readme", "sources": "sources", "defects": "defects"}
PROVEN, REPLACED, PLANNED, OPEN = "proven", "replaced", "planned", "open"
_KEPT = (PROVEN, REPLACED)
_NO_REASON = "no test proves it yet"


@dataclass(frozen=True)
class Promise:
    """One of them. why: what replaces it, where it is planned, or why it is open; tests: `file::test`."""

    number: str
    title: str
    state: str
    why: str
    tests: tuple[str, ...]


def proofs(tests: Path) -> dict[str, list[str]]:
    """Promise -> the tests tagged with it, as `file::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for number in _tags(node):
                    found[number].append(f"{path.relative_to(tests.parent)}::{node.name}")
    return found


def _tags(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    return [
        str(argument.value)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.promise")
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def promises(
    table: Mapping[str, Mapping[str, str]], found: Mapping[str, list[str]]
) -> dict[str, list[Promise]]:
    """Each group's promises in their order."""
    return {
        group: [_promise(table, found, number, title) for number, title in table[key].items()]
        for group, key in GROUPS.items()
    }


def _promise(
    table: Mapping[str, Mapping[str, str]],
    found: Mapping[str, list[str]],
    number: str,
    title: str,
) -> Promise:
    tests = tuple(found.get(number, ()))
    replaced = table[REPLACED].get(number, "")
    if tests:
        state, why = (REPLACED, replaced) if replaced else (PROVEN, "")
    elif number in table[PLANNED]:
        state, why = PLANNED, table[PLANNED][number]
    else:
        state, why = OPEN, table[OPEN].get(number, _NO_REASON)
    return Promise(number, title, state, why, tests)


def faults(table: Mapping[str, Mapping[str, str]], found: Mapping[str, list[str]]) -> list[str]:
    """What does not fit together: a sentence each."""
    known = {number for key in GROUPS.values() for number in table[key]}
    told = [f"{number}: a tag names no promise" for number in found if number not in known]
    for state in (REPLACED, PLANNED, OPEN):
        told += [
            f"{number}: {state}, but no promise" for number in table[state] if number not in known
        ]
    for state in (PLANNED, OPEN):
        told += [
            f"{number}: {state}, but a test proves it: take it out of promises.toml"
            for number in table[state]
            if number in found
        ]
    return told


def summary(groups: Mapping[str, list[Promise]]) -> str:
    """The last line: of each group how many are proven and replaced, of how many."""
    return ", ".join(
        f"{group} {'+'.join(str(_count(found, state)) for state in _KEPT)}/{len(found)}"
        for group, found in groups.items()
    )


def _count(found: list[Promise], state: str) -> int:
    return sum(one.state == state for one in found)


def main(arguments: list[str]) -> int:
    """Print the table and its sum."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = proofs(ROOT / "tests")
    groups = promises(table, found)
    for one in (one for group in groups.values() for one in group):
        if "--missing" in arguments and one.state in _KEPT:
            continue
        why = f" ({one.why})" if one.why else ""
        print(f"{one.number:>4}  {one.state:<9} {one.title}{why}")
        for test in one.tests:
            print(f"{'':16}{test}")
    wrong = faults(table, found)
    for fault in wrong:
        print(fault, file=sys.stderr)
    print(summary(groups))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
