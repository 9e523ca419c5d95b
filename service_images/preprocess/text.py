"""Bytes to text, strictly.

Contract: a byte order mark decides (UTF-8 or UTF-16), else it is UTF-8; nothing is guessed,
replaced or dropped. What cannot be text is a ProblemError 422 that says where.
"""

import codecs
import re

from common.problems import ProblemError

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# What people rename to .txt by mistake; naming it helps more than a byte offset.
_SIGNATURES = (
    (PNG, "a PNG picture"),
    (JPEG, "a JPEG picture"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
)
# Their sizes are part of it: a text may well have WEBP or ftyp at these places.
_BOXED = (
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "a WebP picture"),
    (re.compile(rb"\0.{3}ftyp", re.DOTALL), "a HEIC, AVIF or MP4 file"),
)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def kind_of(data: bytes) -> str | None:
    """What a file begins like, where that is no text."""
    found = [kind for signature, kind in _SIGNATURES if data.startswith(signature)]
    found += [kind for box, kind in _BOXED if box.match(data)]
    return next(iter(found), None)


def decode_text(data: bytes) -> str:
    """The text of an object, without its byte order mark."""
    if kind := kind_of(data):
        raise ProblemError(422, "binary_input", f"the object is {kind}, not text")
    encoding = _encoding(data)
    try:
        # Not utf-8-sig, which counts error positions from behind the mark.
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ProblemError(
            422,
            "undecodable_text",
            f"the object is not valid {error.encoding} at byte {error.start}; "
            "UTF-8 and UTF-16 with a byte order mark are supported",
            details={"encoding": error.encoding, "byte_offset": error.start},
        ) from None
    position = text.find("\0")
    if position >= 0:
        message = (
            f"the object holds a NUL character (number {position}): it is binary and not text, or UTF-16 "
            "or UTF-32 without the mark of the first"
        )
        raise ProblemError(422, "binary_input", message, details={"character_offset": position})
    return text


def _encoding(data: bytes) -> str:
    # The UTF-32 mark begins with the UTF-16 one; such a file is refused for its NULs.
    if data.startswith(_UTF16_MARKS) and not data.startswith(_UTF32_MARKS):
        return "utf-16"
    return "utf-8"
