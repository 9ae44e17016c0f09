"""Pixels from untrusted bytes, and back to bytes: JPEG, PNG and WebP by content, size checked before a pixel is decoded.

What comes out is pixels alone: metadata, colour profiles and further frames are dropped, transparency is dropped without blending, grey of
16 bits is scaled to 8, and the EXIF orientation is ignored (as most training loaders do), so that masks and models see the same geometry.
Limits on memory and time of a decoding process belong to its owner.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from srd_core.data.limits import Limits
from srd_core.data.samples import Image

FORMATS = ("JPEG", "PNG", "WEBP")
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's parsers raise on damaged bytes."""
warnings.filterwarnings("ignore", category=Pillow.DecompressionBombWarning)  # the limit below is stricter and is an error


_GAP = 3.0
"""Pillow averages down to this many times the target first: twice as fast at 640 x 480 to 64, and without visible difference."""


_LONGEST_SIDE = {"jpg": 65_500, "jpeg": 65_500, "webp": 16_383}
"""Pixels, by suffix."""
REASONS = frozenset({"corrupt-image", "unsupported-image", "too-many-pixels"})
"""Why bytes are not a usable image."""


class ImageError(ValueError):
    """Bytes that are not a usable image. `reason` is one of `REASONS`, or `decoder-died` where a `Codec` lost its process on them."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def decode(data: bytes, limits: Limits | None = None) -> Image:
    """All pixels as RGB, (H, W, 3) uint8. Raises ImageError."""
    return _pixels(_open(data, limits or Limits()), None)


def decode_canvas(data: bytes, side: int, limits: Limits | None = None) -> Image:
    """The whole image squashed to (side, side, 3) with bicubic interpolation; the aspect ratio is not kept.

    A JPEG of at least twice the side is decoded at 1/2, 1/4 or 1/8 of its size (never below the side): several times faster,
    and within a few grey values of the full decode.
    """
    return _pixels(_open(data, limits or Limits()), side)


def header(data: bytes, limits: Limits | None = None) -> tuple[int, int]:
    """Height and width, in pixels, without decoding any. Raises ImageError."""
    width, height = _open(data, limits or Limits()).size
    return height, width


def squash(image: Image, side: int) -> Image:
    """A decoded image (H, W, 3) as (side, side, 3), bicubic; much larger ones are averaged down first.

    Not bit-equal to `decode_canvas` where that decodes a JPEG small.
    """
    return np.asarray(Pillow.fromarray(image).resize((side, side), Pillow.Resampling.BICUBIC, reducing_gap=_GAP))


def shrunk(image: Image, longest: int) -> Image:
    """A decoded image (H, W, 3) with its longer side at most `longest` pixels and its aspect ratio kept; averaged down."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BOX))


def encode(image: Image, suffix: str, quality: int = 90) -> bytes:
    """RGB pixels (H, W, 3) as bytes of the format that `suffix` names; PNG is lossless, JPEG and WebP use `quality` (1–100).

    The same pixels give the same bytes with the same Pillow. Raises ValueError for another suffix, ImageError as `check_writable`.
    """
    check_writable(suffix, *image.shape[:2])
    return _save(Pillow.fromarray(image), suffix, quality)


def rewrite(
    data: bytes, suffix: str, quality: int = 90, box: tuple[int, int, int, int] | None = None, limits: Limits | None = None
) -> tuple[int, int, bytes]:
    """(height, width, new file): what `encode` makes of the pixels of `data`, with a red box (x0, y0, x1, y1) on them, with less memory.

    Raises ImageError.
    """
    opened = _open(data, limits or Limits())
    check_writable(suffix, opened.height, opened.width)
    picture = _rgb(opened)
    if box is not None:
        picture.paste((255, 0, 0), box)
    return picture.height, picture.width, _save(picture, suffix, quality)


def check_writable(suffix: str, height: int, width: int) -> None:
    """Make sure that the format of `suffix` holds images of this size, in pixels. Raises ImageError (`unsupported-image`)."""
    most = _LONGEST_SIDE.get(suffix.lower(), 2**31 - 1)
    if max(height, width) > most:
        raise ImageError("unsupported-image", f"{width} x {height} pixels are more than a .{suffix} can hold, {most} a side")


def _save(picture: Pillow.Image, suffix: str, quality: int) -> bytes:
    target = io.BytesIO()
    kind = suffix.lower()
    if kind in ("jpg", "jpeg"):
        picture.save(target, "JPEG", quality=quality)
    elif kind == "png":
        picture.save(target, "PNG", compress_level=1)
    elif kind == "webp":
        picture.save(target, "WEBP", quality=quality, method=2)
    else:
        raise ValueError(f"no image format for suffix {suffix!r}; use jpg, jpeg, png or webp")
    return target.getvalue()


def _open(data: bytes, limits: Limits) -> Pillow.Image:
    try:
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError("unsupported-image", "the content is not JPEG, PNG or WebP") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise ImageError("too-many-pixels", str(error)) from error
    except _BROKEN as error:
        raise ImageError("corrupt-image", f"the header cannot be read: {error}"[:200]) from error
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise ImageError("too-many-pixels", f"{width} x {height} pixels; the limit is {limits.max_pixels}")
    return picture


def _pixels(picture: Pillow.Image, side: int | None) -> Image:
    if side is not None:
        picture.draft("RGB", (side, side))
    rgb = _rgb(picture)
    if side is not None:
        try:
            rgb = rgb.resize((side, side), Pillow.Resampling.BICUBIC)
        except _BROKEN as error:
            raise ImageError("corrupt-image", f"it cannot be made small: {error}"[:200]) from error
    return np.array(rgb)


def _rgb(picture: Pillow.Image) -> Pillow.Image:
    """Decoded, and without anything but pixels."""
    try:
        rgb = _eight_bits(picture).convert("RGB")
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError("corrupt-image", f"the pixels cannot be decoded: {error}"[:200]) from error
    rgb.info = {}
    return rgb


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    """Deep grey scaled so that 65535 becomes 255: Pillow itself would make everything above 255 white. Other pictures as they are.

    Raises ImageError for grey values outside 0 to 65535, or that are no whole numbers.
    """
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ImageError("unsupported-image", f"grey values of unknown range (mode {picture.mode})")
    levels = values.astype(np.uint32)
    levels += 128
    levels //= 257
    return Pillow.fromarray(levels.astype(np.uint8))
