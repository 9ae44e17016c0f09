"""Attacks by name: a new one is one new file of this package, with `@register`."""

from __future__ import annotations

from typing import TypeVar

from srd_core.attacks.base import Attack
from srd_core.registry import Registry

A = TypeVar("A", bound=Attack)

_ATTACKS: Registry[type[Attack]] = Registry("srd_core.attacks", "attack")


def register(kind: type[A]) -> type[A]:
    """Class decorator: make the attack known under its `name`. It must be constructible without arguments.

    Raises:
        ConfigError: another class has that name.
    """
    _ATTACKS.add(kind.name, kind)
    return kind


def get(name: str) -> Attack:
    """Return the attack with its default settings.

    Raises:
        ConfigError: unknown name.
    """
    return _ATTACKS.get(name)()


def names() -> tuple[str, ...]:
    """Names of all attacks, sorted."""
    return _ATTACKS.names()
