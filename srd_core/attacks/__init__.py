"""Data-poisoning attacks for experiments: one file each, found by name in one registry (`get`, `names`).

`poison` makes poisoned copies of data. Attacks that work something out first (`needs_encoder`) are kept in a folder by `prepared`. Those
whose attacker trains the model too (`trains`) say what he makes small. Nothing that learns or decides can reach this package: the poisoned
set that the defence trains on is made by `srd_core.synthesis`.
"""

from __future__ import annotations

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import get, names, register

__all__ = ["Attack", "Triggered", "get", "names", "register"]
