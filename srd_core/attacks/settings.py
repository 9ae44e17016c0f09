"""Attacks with other settings than their own: the plain fields of their classes, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields, replace
from types import NoneType
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from srd_core.attacks.base import Attack
from srd_core.attacks.registry import get
from srd_core.errors import ConfigError

PLAIN = (bool, int, float, str, NoneType)
"""What a setting may be: not what an attack works out, such as a pattern."""


def configured(name: str, settings: Mapping[str, Any]) -> Attack:
    """The attack of that name with these settings; those that are left out keep their defaults.

    Raises:
        ConfigError: unknown attack, a setting that it does not have, or a value of another kind.
    """
    attack = get(name)
    known = settings_of(attack)
    hints = get_type_hints(type(attack))
    given = {}
    for key, value in settings.items():
        if key not in known:
            has = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"the attack {name} has no setting {key!r}", hint=f"Its settings are: {has}")
        try:
            given[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise ConfigError(f"the attack {name}: {key} = {value!r}: {problem}", hint=f"Its default is {known[key]!r}") from error
    return replace(attack, **given) if given else attack  # type: ignore[type-var]


def settings_of(attack: Attack) -> dict[str, bool | int | float | str | None]:
    """All settings of an attack by name, those that are its defaults as well."""
    return {field.name: getattr(attack, field.name) for field in fields(attack) if is_plain(field)}  # type: ignore[arg-type]


def is_plain(field: Field[Any]) -> bool:
    """Whether a field is a setting: its default is a plain value."""
    return isinstance(field.default, PLAIN) and field.name != "encoder"
