"""One JSON value or one pair of cells as an item.

Contract: what is wrong with an item is that item's content, a ProblemError; the others go on. No
message holds anything of the item.
"""

from common.fields import is_blank, is_utf8
from common.items import Content, InputItem
from common.problems import ProblemError

_ID_CHARS = 256


def bad(code: str, message: str) -> ProblemError:
    """Why one item cannot be used."""
    return ProblemError(422, code, message)


def item_of_value(number: int, row: int, value: object) -> InputItem:
    """The item of a JSON value: a string, or an object with `text` and perhaps `id`."""
    if isinstance(value, str):
        return InputItem(str(number), checked(value), row)
    if not isinstance(value, dict):
        problem = bad("no_text", 'the item is neither a string nor an object with "text"')
        return InputItem(str(number), problem, row)
    if not isinstance(value.get("text"), str):
        problem = bad("no_text", 'the item has no "text", or it is no string')
        return identified(number, row, value.get("id"), problem)
    return identified(number, row, value.get("id"), checked(value["text"]))


def identified(number: int, row: int, identity: object, content: Content) -> InputItem:
    """The item with the id that the user gave, or its number where there is none."""
    if identity is None or identity == "":
        return InputItem(str(number), content, row)
    plain = isinstance(identity, str | int) and not isinstance(identity, bool)
    text = str(identity) if plain else ""
    if not plain or len(text) > _ID_CHARS or not is_utf8(text):
        message = f"the id is no string or whole number of at most {_ID_CHARS} characters"
        return InputItem(str(number), bad("invalid_id", message), row)
    return InputItem(text, content, row)


def checked(text: str) -> Content:
    """The text where it can be scored and stored."""
    if is_blank(text):
        return bad("empty_text", "the text is blank")
    if not is_utf8(text):
        return bad("invalid_text", "the text holds half of a surrogate pair")
    return text
