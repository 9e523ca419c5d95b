"""How much of what is processed: each limit is a setting, and every refusal names its own."""

from dataclasses import dataclass

from common.images import MAX_PIXELS
from common.settings import Environment

_TEXT_BYTES = 10_000_000
_TABLE_BYTES = 50_000_000
_IMAGE_BYTES = 10_000_000
_ROWS = 50_000
_TEXT_COLUMN = "text"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of an object in bytes, by what it is; rows or items; pixels of a picture."""

    text_bytes: int = _TEXT_BYTES
    table_bytes: int = _TABLE_BYTES
    image_bytes: int = _IMAGE_BYTES
    rows: int = _ROWS
    image_pixels: int = MAX_PIXELS
    text_column: str = _TEXT_COLUMN


def read_limits(environment: Environment) -> Limits:
    """From the environment. Raises SettingError."""
    return Limits(
        text_bytes=environment.number("TEXT_LIMIT_BYTES", _TEXT_BYTES),
        table_bytes=environment.number("TABLE_LIMIT_BYTES", _TABLE_BYTES),
        image_bytes=environment.number("IMAGE_LIMIT_BYTES", _IMAGE_BYTES),
        rows=environment.number("ROW_LIMIT", _ROWS),
        image_pixels=environment.number("IMAGE_LIMIT_PIXELS", MAX_PIXELS),
        text_column=environment.text("TEXT_COLUMN", _TEXT_COLUMN),
    )
