"""How much of an untrusted shard is believed: one frozen model, so that every reader refuses the same things.

The values are generous for photographs with captions and small next to what a hostile file asks for. They are not a sandbox:
memory and CPU limits of the process belong to whoever starts it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt


class Limits(BaseModel):
    """Upper bounds on one shard and what is in it. A value above the bound is refused, never cut to size."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_member_bytes: PositiveInt = 64 * 2**20
    """Content of one archive member, bytes."""
    max_header_bytes: PositiveInt = 64 * 2**10
    """Content of one PAX extended header, bytes."""
    max_name_bytes: PositiveInt = 512
    """Member name in UTF-8, bytes."""
    max_members: PositiveInt = 1_000_000
    """Members of one shard, directories and extended headers among them."""
    max_shard_bytes: PositiveInt = 64 * 2**30
    """One shard from first to last, bytes."""
    max_samples: PositiveInt = 250_000
    """Samples of one shard."""
    max_sample_bytes: PositiveInt = 96 * 2**20
    """All members of one sample that are kept, bytes."""
    max_sample_members: PositiveInt = 16
    """Members that share one key."""
    max_text_bytes: PositiveInt = 2**20
    """A caption or JSON member, bytes."""
    max_captions: PositiveInt = 64
    """Captions of one sample."""
    max_caption_chars: PositiveInt = 10_000
    """One caption, characters."""
    max_pixels: PositiveInt = 40_000_000
    """Width times height of one image, read from its header before any pixel is decoded."""


OWN = Limits(**{name: 2**40 for name in Limits.model_fields if name != "max_pixels"})
"""For shards that a run has made itself."""


def for_written(limits: Limits) -> Limits:
    """For shards that a run has written of what was within `limits`: their samples are, and of the whole nothing was asked."""
    return limits.model_copy(update={name: 2**40 for name in ("max_members", "max_shard_bytes", "max_samples")})
