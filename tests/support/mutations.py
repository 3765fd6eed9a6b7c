"""Damaged files: bytes cut, flipped, spliced and repeated, numbers made absurd, words deleted."""

import os
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from scenelift.render.scene import SceneError

_T = TypeVar("_T")

_NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{2,}|[{}\[\]<>:,/\"]")
_ABSURD = (
    b"NaN", b"-1", b"0", b"1e999", b"-1e308", b"99999999999999999999", b"4294967295", b"2147483648", b"-2147483649",
    b"1e-320", b"65536", b"\"\"", b"null", b"[]", b"{}", b"true", b"x",
)  # fmt: skip


def count() -> int:
    """Number of examples: 1,000 with SCENELIFT_THOROUGH=1, else 40."""
    return 1000 if os.environ.get("SCENELIFT_THOROUGH") == "1" else 40


def hostile(function: Callable[..., None]) -> Callable[..., None]:
    """Run a test on `count()` examples, none of which may take more than ten seconds."""
    decorated = settings(
        max_examples=count(),
        deadline=10_000,
        derandomize=True,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )(function)
    marked: Callable[..., None] = pytest.mark.num_cases(count())(decorated)
    return marked


@st.composite
def mutated(draw: st.DrawFn, data: bytes, *, most: int = 4, keep: int = 0) -> bytes:
    """Draw a damaged copy of a file.

    Args:
        draw: Given by hypothesis.
        data: A good file.
        most: Number of faults, at most.
        keep: Bytes at the front that stay as they are.
    """
    head, body = data[:keep], data[keep:]
    for _ in range(draw(st.integers(1, most))):
        body = draw(_one(body))
    return head + body


def _one(data: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(
        _truncated(data),
        _flipped(data),
        _spliced(data),
        _repeated(data),
        _replaced(data, _NUMBER),
        _replaced(data, _NUMBER),
        _deleted(data),
        _word_replaced(data),
    )


def _place(data: bytes) -> st.SearchStrategy[int]:
    return st.integers(0, len(data))


def _truncated(data: bytes) -> st.SearchStrategy[bytes]:
    return _place(data).map(lambda end: data[:end])


def _flipped(data: bytes) -> st.SearchStrategy[bytes]:
    def flip(places: list[tuple[int, int]]) -> bytes:
        result = bytearray(data)
        for place, mask in places:
            if place < len(result):
                result[place] ^= mask
        return bytes(result)

    pair = st.tuples(_place(data), st.integers(1, 255))
    return st.lists(pair, min_size=1, max_size=8).map(flip)


def _spliced(data: bytes) -> st.SearchStrategy[bytes]:
    def splice(parts: tuple[int, int, int]) -> bytes:
        target, start, length = parts
        return data[:target] + data[start : start + length] + data[target:]

    return st.tuples(_place(data), _place(data), st.integers(1, 400)).map(splice)


def _repeated(data: bytes) -> st.SearchStrategy[bytes]:
    def repeat(parts: tuple[int, int, int]) -> bytes:
        start, length, times = parts
        return data[:start] + data[start : start + length] * times + data[start + length :]

    return st.tuples(_place(data), st.integers(1, 64), st.integers(0, 200)).map(repeat)


def _replaced(data: bytes, pattern: re.Pattern[bytes]) -> st.SearchStrategy[bytes]:
    found = [match.span() for match in pattern.finditer(data)]
    if not found:
        return st.just(data)

    def replace_one(parts: tuple[tuple[int, int], bytes]) -> bytes:
        (start, end), value = parts
        return data[:start] + value + data[end:]

    return st.tuples(st.sampled_from(found), st.sampled_from(_ABSURD)).map(replace_one)


def _deleted(data: bytes) -> st.SearchStrategy[bytes]:
    found = [match.span() for match in _WORD.finditer(data)]
    if not found:
        return st.just(data)
    return st.sampled_from(found).map(lambda span: data[: span[0]] + data[span[1] :])


def _word_replaced(data: bytes) -> st.SearchStrategy[bytes]:
    found = [match.span() for match in _WORD.finditer(data)]
    if not found:
        return st.just(data)

    def swap(parts: tuple[tuple[int, int], tuple[int, int]]) -> bytes:
        (start, end), (first, last) = parts
        return data[:start] + data[first:last] + data[end:]

    return st.tuples(st.sampled_from(found), st.sampled_from(found)).map(swap)


def outcome(call: Callable[[], _T]) -> _T | SceneError:
    """Return what a reader gives, or its `SceneError`, whose message must be one line; anything else goes through."""
    try:
        return call()
    except SceneError as error:
        message = str(error)
        if not message.strip() or "\n" in message:
            raise AssertionError(f"not one line: {message!r}") from error
        return error


@contextmanager
def bounded_memory(most_bytes: int) -> Iterator[None]:
    """Fail if more than `most_bytes` of Python's and numpy's memory are in use at once."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > most_bytes:
        raise AssertionError(f"{peak} bytes were in use, at most {most_bytes} are allowed")
