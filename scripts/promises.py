"""Lists which promises have a test that is tagged with them, and which have none.

A test proves a promise by `@pytest.mark.promise(41)`, `promise("S20")` or `promise("D1")`. Numbers 1
to 154 are the replaced recipe's README promises, S1 to S85 those of its sources, and D1 to D31 its
defects, which must not come back. Usage: python scripts/promises.py [--missing]
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALL = (
    [str(number) for number in range(1, 155)]
    + [f"S{number}" for number in range(1, 86)]
    + [f"D{number}" for number in range(1, 32)]
)


def proofs(tests: Path) -> dict[str, list[str]]:
    """Promise -> the tests tagged with it, as `file::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for number in _tags(node):
                    found[number].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _tags(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    return [
        str(argument.value)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.promise")
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def main(arguments: list[str]) -> int:
    """Print the table; 1 when a tag names a promise that does not exist."""
    found = proofs(ROOT / "tests")
    unknown = sorted(set(found) - set(ALL))
    for number in ALL:
        tests = found.get(number, [])
        if "--missing" in arguments and tests:
            continue
        print(f"{number:>5}  {'proven' if tests else '-':7} {', '.join(tests)}")
    proven = sum(1 for number in ALL if number in found)
    print(f"{proven} of {len(ALL)} promises have a test, {len(ALL) - proven} have none.")
    if unknown:
        print(f"Tags that name no promise: {', '.join(unknown)}", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
