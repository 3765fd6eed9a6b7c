"""Typed access to the members of JSON objects that others wrote: each fault names its place."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Float

from scenelift.render.scene import SceneError

JsonObject = Mapping[str, Any]


def as_object(value: object, *, where: str) -> JsonObject:
    """Return a JSON object.

    Raises:
        SceneError: if it is anything else.
    """
    if not isinstance(value, dict):
        raise SceneError(f"{where}: must be an object, but is {describe(value)}")
    return value


def member(parent: JsonObject, key: str, *, where: str) -> object:
    """Return the value of a required key.

    Raises:
        SceneError: if it is missing.
    """
    if key not in parent:
        raise SceneError(f"{where}: key '{key}' is missing")
    return parent[key]


def objects(parent: JsonObject, key: str, *, where: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the objects of a list with the place of each; a missing or null list is empty.

    Raises:
        SceneError: if it is no list of objects.
    """
    for index, value in enumerate(items(parent, key, where=where)):
        place = f"{where}: {key}[{index}]"
        yield place, as_object(value, where=place)


def items(parent: JsonObject, key: str, *, where: str) -> list[object]:
    """Return a list; a missing or null one is empty.

    Raises:
        SceneError: if it is no list.
    """
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise SceneError(f"{where}: '{key}' must be a list, but is {describe(value)}")
    return value


def text(parent: JsonObject, key: str, *, where: str, default: str | None = None) -> str:
    """Return a string; numbers pass as their digits, since ids are written both ways.

    Raises:
        SceneError: if it is missing without a default, or of another type.
    """
    value = parent.get(key)
    if value is None:
        if default is None:
            raise SceneError(f"{where}: key '{key}' is missing")
        return default
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SceneError(f"{where}: '{key}' must be a string, but is {describe(value)}")
    if isinstance(value, str):
        return value
    if abs(value) >= 10**18:
        raise SceneError(f"{where}: '{key}' is a number of more than 18 digits")
    return str(value)


def number(parent: JsonObject, key: str, *, where: str, default: float | None = None) -> float:
    """Return a finite number.

    Raises:
        SceneError: if it is missing without a default, of another type, NaN or infinite.
    """
    value = parent.get(key)
    if value is None:
        if default is None:
            raise SceneError(f"{where}: key '{key}' is missing")
        return default
    if not _is_finite(value):
        raise SceneError(f"{where}: '{key}' must be a number, but is {describe(value)}")
    return float(value)


def numbers(value: object, count: int, *, where: str) -> Float[np.ndarray, " n"]:
    """Return `count` finite numbers as float64.

    Raises:
        SceneError: if the list has another length or an entry that is no finite number.
    """
    if not isinstance(value, list) or len(value) != count:
        raise SceneError(f"{where}: must be a list of {count} numbers, but is {describe(value)}")
    for entry in value:
        if not _is_finite(entry):
            raise SceneError(f"{where}: has {describe(entry)} among its numbers")
    return np.array(value, dtype=np.float64)


def _is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number that a place in a scene can have; NaN fails the comparison."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


_FLAGS = {"0": False, "1": True, "false": False, "true": True, "": False, "no": False, "yes": True}


def flag(parent: JsonObject, key: str, *, where: str, default: bool) -> bool:
    """Return a flag that may be written as number, boolean or string.

    >>> [flag({"valid": value}, "valid", where="", default=True) for value in (0, 1.0, "false", "1")]
    [False, True, False, True]

    Raises:
        SceneError: if it is none of these.
    """
    value = parent.get(key)
    if value is None:
        return default
    if isinstance(value, str) and value.strip().lower() in _FLAGS:
        return _FLAGS[value.strip().lower()]
    if isinstance(value, bool | int | float):
        return value != 0
    raise SceneError(f"{where}: '{key}' must be 0 or 1, but is {describe(value)}")


def describe(value: object) -> str:
    """Say in a few words what a JSON value is.

    >>> describe([1, 2]), describe({}), describe("a" * 99), describe(float("nan"))
    ('a list of 2', 'an object', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...", 'nan')
    """
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number of more than 18 digits"
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "..."
