"""Labels as most APIs take them: Workflow.labels and Execution.labels tell the rule.

At most 64; keys and values have at most 63 lower-case letters (of any script), digits, '_' and '-';
a key begins with a letter.
"""

from collections.abc import Mapping

from gpupipe.localcloud.errors import invalid_argument

_MOST = 64
_LONGEST = 63


def check_labels(labels: Mapping[str, str], path: str) -> None:
    """INVALID_ARGUMENT, naming the labels that are wrong; `path` is their place in the request."""
    if len(labels) > _MOST:
        raise invalid_argument(f"At most {_MOST} labels.", path)
    wrong = [key for key, value in labels.items() if not (_is_key(key) and _is_value(value))]
    if wrong:
        raise invalid_argument(f"Invalid labels: {', '.join(map(repr, wrong))}.", path)


def _is_key(text: str) -> bool:
    return text[:1].isalpha() and _is_value(text)


def _is_value(text: str) -> bool:
    return len(text) <= _LONGEST and all(map(_is_allowed, text))


def _is_allowed(character: str) -> bool:
    return character in "_-" or (character.isalnum() and character == character.lower())
