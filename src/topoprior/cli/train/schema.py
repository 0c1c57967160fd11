"""Dataclasses as the schema of a configuration file: plain values in, checked against the annotations, and out again.

Every key must be a field, every value of the annotated type. cyclopts can fill dataclasses from YAML too, but is meant
for the words of a command line: it takes ``seed: 1.5`` for 2, a number where a section belongs for the value of that
section's first field, and has no words for ``str | dict`` (tried with version 5.4).
"""

import inspect
import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Schema = TypeVar("Schema")

_RULES: dict[object, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_PLURALS: dict[object, str] = {int: "whole numbers", float: "numbers", str: "texts", bool: "true or false"}


class SchemaError(ValueError):
    """A key of a configuration that is unknown, missing, or has a wrong value.

    Attributes:
        key: Its full name, such as ``supervised.steps``.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def from_plain(schema: type[Schema], content: Mapping[str, object], *, section: str = "") -> Schema:
    """A dataclass with the values of a mapping; its sections are dataclasses again.

    Args:
        schema: A dataclass whose annotations are made of bool, int, float, str, Literal, tuples of any length, dicts
            with text as keys, unions, None and other dataclasses.
        content: Its values by name. The word ``none`` stands for None where that is allowed, as TOML has no null.
        section: Put before the keys in errors.

    Raises:
        SchemaError: If a key is unknown or missing, or a value has the wrong type or is refused by the dataclass.

    Examples:
        >>> from topoprior.training.settings import AugmentationSettings
        >>> from_plain(AugmentationSettings, {"rotation": 10}).rotation
        10.0
        >>> from_plain(AugmentationSettings, {"rotaton": 10})
        Traceback (most recent call last):
        topoprior.cli.train.schema.SchemaError: unknown key rotaton; did you mean rotation?
    """
    hints = get_type_hints(schema)
    known = fields(cast("Any", schema))
    names = [field.name for field in known]
    prefix = f"{section}." if section else ""
    for name in content:
        if name not in names:
            raise SchemaError(f"{prefix}{name}", f"unknown key {prefix}{name}{_hint(str(name), names, prefix)}")
    values = {name: _value(hints[name], value, f"{prefix}{name}") for name, value in content.items()}
    for field in known:
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            values[field.name] = _missing(hints[field.name], f"{prefix}{field.name}")
    try:
        return schema(**values)
    except ValueError as error:
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(section, f"{section}: {error}" if section else str(error)) from error


def to_plain(value: object) -> Any:
    """The inverse: mappings, lists, numbers, texts and None.

    Examples:
        >>> from topoprior.training.settings import NetworkSettings
        >>> to_plain(NetworkSettings())
        {'channels': [16, 32, 64, 128], 'residual_units': 2, 'factory': None}
    """
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    return value


def flat(content: Mapping[str, Any], *, section: str = "") -> dict[str, Any]:
    """The values of nested mappings under their full names.

    Examples:
        >>> flat({"seed": 0, "data": {"images": "a", "validation": {"share": 0.2}}})
        {'seed': 0, 'data.images': 'a', 'data.validation.share': 0.2}
    """
    found: dict[str, Any] = {}
    for name, value in content.items():
        key = f"{section}.{name}" if section else str(name)
        found |= flat(value, section=key) if isinstance(value, Mapping) and value else {key: value}
    return found


def allows_none(schema: type, name: str) -> bool:
    """Whether a field may be None."""
    return type(None) in get_args(get_type_hints(schema)[name])


def descriptions(schema: type) -> dict[str, str]:
    """What the docstring says of each field, in its section ``Attributes``; those of parent classes too.

    Examples:
        >>> from topoprior.training.settings import NetworkSettings
        >>> descriptions(NetworkSettings)["residual_units"]
        'Per level; 0 gives plain convolutions.'
    """
    found: dict[str, str] = {}
    for kind in reversed(schema.__mro__):
        found |= dict(_attributes(inspect.cleandoc(kind.__doc__ or "")))
    return found


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    _, _, section = docstring.partition("\nAttributes:\n")
    section = re.split(r"\n\S", section, maxsplit=1)[0]
    for entry in re.split(r"\n(?= {4}\w+: )", f"\n{section}")[1:]:
        name, _, text = entry.strip().partition(": ")
        yield name, " ".join(text.replace("``", "").split())


def _value(hint: Any, value: object, key: str) -> Any:
    """A value of the annotated type."""
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SchemaError(key, f"{key} must be a section with keys of its own, got {value!r}")
        return from_plain(cast("type[Any]", hint), value, section=key)
    fits, made = _converted(hint, value, key)
    if not fits:
        raise SchemaError(key, f"{key} must be {_rule(hint)}, got {value!r}")
    return made


def _converted(hint: Any, value: object, key: str) -> tuple[bool, Any]:
    """Whether a value is of a type, and the value in that type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True, value
    if origin in (Union, types.UnionType):
        if type(None) in arguments and (value is None or value == "none"):
            return True, None
        tries = (_converted(one, value, key) for one in arguments if one is not type(None))
        return next((found for found in tries if found[0]), (False, None))
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in arguments), value
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False, None
        parts = [_converted(arguments[0], one, key) for one in value]
        return all(fits for fits, _ in parts), tuple(one for _, one in parts)
    if origin is dict:
        if not isinstance(value, Mapping):
            return False, None
        for name in value:
            if not isinstance(name, str):
                raise SchemaError(key, f"{key} must have names that are text, got {name!r}: write it in quotes")
        return True, {name: _value(arguments[1], one, f"{key}.{name}") for name, one in value.items()}
    if hint is float:
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return right, float(cast("float", value)) if right else None
    return type(value) is hint, value


def _rule(hint: Any) -> str:
    """What a value must be, in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        rules = [_rule(one) for one in arguments if one is not type(None)]
        return " or ".join(rules + ["none"] * (type(None) in arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a list of {_PLURALS.get(arguments[0], 'values')}"
    if origin is dict:
        return "a section of names with a value each"
    return _RULES.get(hint, str(hint))


def _missing(hint: Any, key: str) -> Any:
    """What stands for a section that was left out, if it has no key that must be given."""
    if is_dataclass(hint):
        return from_plain(cast("type[Any]", hint), {}, section=key)
    raise SchemaError(key, f"{key} is missing")


def _hint(name: str, names: Sequence[str], prefix: str) -> str:
    near = get_close_matches(name, names, 1)
    return f"; did you mean {prefix}{near[0]}?" if near else f"; known are {', '.join(prefix + one for one in names)}"
