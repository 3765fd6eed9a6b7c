"""Configurations to and from the types that JSON has."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")


def to_plain(config: Any) -> dict[str, Any]:
    """Return a dataclass as JSON's own types; paths become text, tuples lists."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def from_plain(kind: type[_T], plain: Mapping[str, Any]) -> _T:
    """Build a dataclass from what `to_plain` gave.

    Raises:
        ValueError: if a field is unknown, or a value does not fit.
    """
    hints = typing.get_type_hints(kind)
    unknown = plain.keys() - hints.keys()
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    return kind(**{name: _value(hints[name], value) for name, value in plain.items()})


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        return None if value is None else _value(_meant(inner, value), value)
    if dataclasses.is_dataclass(hint):
        return from_plain(typing.cast(type, hint), value)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        return tuple(_value(kind, part) for kind, part in zip(kinds, value, strict=True))
    if origin is dict:
        return {key: _value(arguments[1], part) for key, part in value.items()}
    if hint is Path:
        return Path(value)
    return value


def _meant(kinds: Sequence[Any], value: Any) -> Any:
    """Choose among several dataclasses the one whose first field, a literal (`kind`, `name`), holds what the value says."""
    for kind in kinds:
        if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
            first = dataclasses.fields(kind)[0].name
            hint = typing.get_type_hints(kind)[first]
            if len(kinds) > 1 and value.get(first) not in typing.get_args(hint):
                continue
        return kind
    raise ValueError(f"none of {', '.join(kind.__name__ for kind in kinds)} is meant by {value}")
