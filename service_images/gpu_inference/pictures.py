"""A picture to the array that a model takes, as its manifest declares it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from common.images import decode_picture
from common.manifest import Transform
from gpu_inference.inputs import Array, Item, Row, other_kind

_METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True, slots=True)
class PictureInputs:
    """For a model of pictures."""

    transform: Transform
    model: str

    def rows(self, item: Item) -> Sequence[Row]:
        """The one array of a picture."""
        if isinstance(item, str):
            raise other_kind(self.model, "pictures", "a text")
        return [picture_array(decode_picture(item), self.transform)]

    def weight(self, item: Item) -> int:  # noqa: ARG002 - the protocol's
        """Each picture is one row."""
        return 1

    def samples(self) -> Sequence[tuple[str, Row]]:
        """A black picture."""
        return [("a picture", np.zeros(self.transform.shape, np.float32))]


def picture_array(picture: Image.Image, transform: Transform) -> Array:
    """(pixel * scale - mean) / std of the resized picture, in the declared layout."""
    resized = _resized(picture, transform)
    if transform.color == "gray":
        pixels = np.asarray(resized.convert("L"), np.float32)[:, :, None]
    else:
        pixels = np.asarray(resized, np.float32)
        if transform.color == "bgr":
            pixels = pixels[:, :, ::-1]
    mean, std = np.asarray(transform.mean), np.asarray(transform.std)
    values = ((pixels * transform.scale - mean) / std).astype(np.float32)
    if transform.layout == "nchw":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values)


def _resized(picture: Image.Image, transform: Transform) -> Image.Image:
    method, size = _METHODS[transform.interpolation], (transform.width, transform.height)
    if transform.crop_from is None:
        return picture.resize(size, method)
    factor = transform.crop_from / min(picture.size)
    width, height = (max(transform.crop_from, round(side * factor)) for side in picture.size)
    left, top = (width - transform.width) // 2, (height - transform.height) // 2
    # The wanted part straight from the source: a long strip is never made large.
    box = tuple(edge / factor for edge in (left, top, left + size[0], top + size[1]))
    return picture.resize(size, method, box=_inside(box, picture.size))


def _inside(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(size[0], right), min(size[1], bottom)
