"""The words of the data path: a sample holds one image and one or more captions; a *pair* is one image with one caption.

The pair is the unit that is poisoned, decided on and counted; its id is `shard/key#caption-index`. A join by anything else
(the official code joins by image file name) mixes the captions of one photograph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""One RGB image, shape (H, W, 3), values 0–255."""

Images = npt.NDArray[np.uint8]
"""A batch of RGB images of one size, shape (N, H, W, 3), values 0–255."""


def pair_id(shard: str, key: str, index: int) -> str:
    """Id of the pair made of sample `key` of `shard` and its caption number `index` (from 0)."""
    return f"{shard}/{key}#{index}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as read from a shard; nothing in it has been decoded or trusted yet.

    `shard` is the file name without `.tar`; `suffix` the image member's suffix without dot, as stored;
    `record` the whole JSON object when the captions came from `.json` (what goes out of it is said in `fields`), None for `.txt`;
    `captions` are cleaned (`captions.clean`), `raw` holds them as they were if that changed any.
    """

    shard: str
    key: str
    image: bytes
    suffix: str
    captions: tuple[str, ...]
    record: Mapping[str, object] | None = None
    carried: Mapping[str, bytes] = field(default_factory=dict)
    raw: tuple[str, ...] = ()

    def pairs(self) -> list[str]:
        """Pair ids, one a caption."""
        return [pair_id(self.shard, self.key, i) for i in range(len(self.captions))]


@dataclass(frozen=True, slots=True)
class Reject:
    """A sample (or what should have been one) that could not be read. It is listed in decisions, never a reason to stop.

    `reason` is a stable code such as `corrupt-image`; `detail` is for people. `pairs` counts the captions that were readable, at least 1
    and at most `Limits.max_captions`.
    """

    shard: str
    key: str
    reason: str
    detail: str
    pairs: int = 1


Split = Literal["fit", "holdout"]
