"""PNG and JPEG files from strangers, decoded within limits.

Contract: the number of pixels is read from the header and checked before anything is decoded; what
is returned is upright, RGB, on white where it was transparent, and no side is longer than
`MAX_SIDE`. Anything else is a ProblemError 413 or 422. Two pictures are decoded at a time: a large one
takes some hundred megabytes while it lasts.
"""

import io
from threading import Semaphore

from PIL import Image, ImageOps

from common.problems import ProblemError

MAX_PIXELS = 25_000_000
MAX_SIDE = 1024
_WHITE = (255, 255, 255)
_PLACES = Semaphore(2)
# The limit is ours, from the header; the library's own would only warn up to twice its value.
Image.MAX_IMAGE_PIXELS = None


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in a PNG or JPEG file."""
    with _PLACES:
        try:
            picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        except Exception:  # noqa: BLE001 - whatever a decoder raises over hostile bytes
            raise _undecodable() from None
        width, height = picture.size
        if width * height > max_pixels:
            message = f"the picture has {width} x {height} pixels; at most {max_pixels} in all are decoded"
            details = {"width": width, "height": height, "limit": max_pixels}
            raise ProblemError(413, "too_many_pixels", message, details=details)
        try:
            return _normalized(picture)
        except Exception:  # noqa: BLE001 - as above
            raise _undecodable() from None


def encode_picture(picture: Image.Image) -> bytes:
    """The picture as PNG, without loss."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _undecodable() -> ProblemError:
    # The decoder's own message is left out: it may quote bytes of the file.
    message = "the file cannot be decoded as a PNG or JPEG picture: it is damaged or cut off"
    return ProblemError(422, "undecodable_image", message)


def _normalized(picture: Image.Image) -> Image.Image:
    picture.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG is decoded at a fraction of its size
    upright = ImageOps.exif_transpose(picture)
    plain = _opaque(upright)
    plain.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return plain


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel: convert() alone would clip them
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        ground = Image.new("RGB", layers.size, _WHITE)
        ground.paste(layers, mask=layers.getchannel("A"))
        return ground
    return picture.convert("RGB")
