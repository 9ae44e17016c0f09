"""Small images as PNG data URIs, within a budget: a report that has to be mailed must not weigh what the data set weighs."""

from __future__ import annotations

import base64
import io

import numpy as np

from srd_core.data.samples import Image

SIDE = 128
"""Longest side of a shown image, pixels; larger ones are averaged down, smaller ones are sent as they are."""


def png(image: Image, side: int = SIDE) -> bytes:
    """PNG bytes of an RGB image (H, W, 3) uint8, its longest side at most `side`. The same pixels give the same bytes."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(image))
    longest = max(picture.size)
    if longest > side:
        size = (max(1, round(picture.width * side / longest)), max(1, round(picture.height * side / longest)))
        picture = picture.resize(size, Pillow.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


class ImageBudget:
    """Gives out data URIs until `limit` characters of them are spent."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def uri(self, image: Image, side: int = SIDE) -> str | None:
        """A `data:image/png;base64,…` address, or None when it would not fit any more."""
        address = "data:image/png;base64," + base64.b64encode(png(image, side)).decode("ascii")
        if len(address) > self.left:
            return None
        self.left -= len(address)
        return address
