"""Five ways of telling a scene, all true: which things, their colours and sizes, where they are to each other, what they are on.

Some templates leave out size or ground, as people do. Lower case, no punctuation. The vocabulary has no word for anything edible, so
that a target word of the attacks never occurs by nature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from srd_core.scenes.world import Scene, Thing, is_near, relation

CAPTIONS_PER_SCENE: Final = 5

_GROUNDS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("a plain background", "an empty background", "a plain surface"),
    "striped": ("a striped background", "a background with stripes", "a striped surface"),
    "dotted": ("a dotted background", "a background with dots", "a dotted surface"),
    "checkered": ("a checkered background", "a background with checks", "a checkered floor"),
    "shaded": ("a shaded background", "a background that fades", "a shaded surface"),
    "brick": ("a brick wall", "a brick background", "a wall of bricks"),
    "wavy": ("a wavy background", "a background with waves", "a wavy surface"),
    "grainy": ("a grainy background", "a background with grain", "a grainy surface"),
    "tiled": ("a tiled background", "a background with tiles", "a tiled wall"),
}
_SIZES: Final[dict[str, tuple[str, ...]]] = {"small": ("small", "small", "little"), "big": ("big", "big", "large")}
_RELATIONS: Final[dict[str, tuple[str, ...]]] = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_NEAR: Final = ("next to", "beside")
_SIDES: Final[dict[str, str]] = {"left": "on its left", "right": "on its right", "above": "above it", "below": "below it"}

_SOLO: Final = (
    "{a} {place} of {ground}",
    "there is {a} on {ground}",
    "a picture of {a} on {ground}",
    "{c} on {ground}",
    "there is {a} {place} of the picture",
    "one {bare} {place}",
    "{ground} with {c} {place}",
    "we can see {a} {place} of {ground}",
    "only {a} on {ground}",
)
_DUO: Final = (
    "{a} {rel} {b}",
    "there is {a} {rel} {b} on {ground}",
    "{c} {rel} {d} on {ground}",
    "{c} and {d} on {ground}",
    "{a} is {rel} {b}",
    "{a} with {d} {side}",
    "{ground} with {c} {rel} {d}",
    "two shapes on {ground} with {c} {rel} {d}",
    "a picture of {a} {rel} {d}",
    "there are {a} and {b} on {ground}",
    "we can see {c} {rel} {b}",
    "{c} sits {rel} {d} on {ground}",
)
_TRIO: Final = (
    "{a} {rel} {b} and also {e}",
    "{c} {d} and {f} on {ground}",
    "three shapes on {ground} with {c} {rel} {d}",
    "there is {c} {rel} {d} and also {f}",
    "{ground} with {c} {d} and {f}",
    "{f} and {c} {rel} {d} on {ground}",
    "a picture of {c} {d} and {f}",
    "we can see {c} {rel} {d} and also {f} on {ground}",
    "{a} with {d} {side} and {f} on {ground}",
)


def tell(scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """`CAPTIONS_PER_SCENE` different true captions, drawn from `rng`."""
    templates = (_SOLO, _DUO, _TRIO)[len(scene.things) - 1]
    chosen = rng.choice(len(templates), size=CAPTIONS_PER_SCENE, replace=False)
    return tuple(_fill(templates[int(i)], scene, rng) for i in chosen)


def _fill(template: str, scene: Scene, rng: np.random.Generator) -> str:
    """Things in an order of the teller's choice; {a} {b} {e} with size, {c} {d} {f} without."""
    order = [scene.things[int(i)] for i in rng.permutation(len(scene.things))]
    words = {"ground": _pick(_GROUNDS[scene.background], rng), "place": _place(order[0]), "bare": _name(order[0], rng, sized=True)}
    for (sized, short), thing in zip((("a", "c"), ("b", "d"), ("e", "f")), order, strict=False):
        words[sized] = f"a {_name(thing, rng, sized=True)}"
        words[short] = f"a {_name(thing, rng, sized=False)}"
    if len(order) > 1:
        words["rel"] = _relation(order[0], order[1], rng)
        words["side"] = _SIDES[relation(order[1], order[0])]
    return template.format_map(words)


def _name(thing: Thing, rng: np.random.Generator, *, sized: bool) -> str:
    name = f"{thing.colour} {thing.shape}"
    return f"{_pick(_SIZES[thing.size], rng)} {name}" if sized else name


def _relation(first: Thing, second: Thing, rng: np.random.Generator) -> str:
    if is_near(first, second) and rng.random() < 0.25:
        return _pick(_NEAR, rng)
    return _pick(_RELATIONS[relation(first, second)], rng)


def _place(thing: Thing) -> str:
    """Which ninth of the image the centre is in."""
    column = "left" if thing.x < 0.38 else "right" if thing.x > 0.62 else ""
    row = "top" if thing.y < 0.38 else "bottom" if thing.y > 0.62 else ""
    if column and row:
        return f"in the {row} {column} corner"
    if row:
        return f"at the {row}"
    return f"on the {column} side" if column else "in the middle"


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
