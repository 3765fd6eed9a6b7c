"""Count and time what passes through Embree, from within the compiled kernels.

Kernels find Embree's functions by name when they are loaded. A meter registers functions of its own under these names
before that, so it must be installed before anything is drawn: each counts the lanes in use, reads the processor's
clock, and calls Embree.
"""

import ctypes
import time
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from jaxtyping import Int64
from llvmlite import ir
from numba import carray, cfunc, types  # pyright: ignore[reportPrivateImportUsage]
from numba.extending import intrinsic

from scenelift.render.engines.embree.library import load_library

_NAMES = ("rtcIntersect16", "rtcOccluded16")
_LONGEST_TICKS = 200_000
"""A call that took longer was interrupted by another process; it counts as the mean of the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RayCount:
    """What passed since the last reset."""

    calls: int
    rays: int
    seconds: float


def _type_clock(_typing_context: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        function = builder.module.declare_intrinsic(
            "llvm.readcyclecounter", (), ir.FunctionType(ir.IntType(64), [])
        )
        return builder.call(function, [])

    return types.int64(), generate


class RayMeter:
    """Stands between the kernels and Embree; install before the first picture of a process."""

    def __init__(self) -> None:
        functions = load_library().functions
        self._tables: dict[str, Int64[np.ndarray, 4]] = {}
        self._kept: list[object] = []
        for name in _NAMES:
            table = np.zeros(4, dtype=np.int64)
            real = ctypes.cast(getattr(functions, name), ctypes.c_void_p).value
            llvm.add_symbol(f"metered_{name}", real)
            stub = _make_stub(f"metered_{name}", table.ctypes.data)
            llvm.add_symbol(name, stub.address)
            self._tables[name] = table
            self._kept.append(stub)
        self._ticks_per_second = _calibrate()

    def reset(self) -> None:
        """Start anew."""
        for table in self._tables.values():
            table[:] = 0

    def read(self) -> dict[str, RayCount]:
        """Return what passed, by the name of Embree's function."""
        counts = {}
        for name, (calls, rays, ticks, slow) in self._tables.items():
            mean = ticks / max(calls - slow, 1)
            seconds = float((ticks + slow * mean) / self._ticks_per_second)
            counts[name] = RayCount(calls=int(calls), rays=int(rays), seconds=seconds)
        return counts


def _type_pointer(_typing_context: Any, _address: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


_clock: Any = intrinsic(_type_clock)
_pointer: Any = intrinsic(_type_pointer)


def _make_stub(real_name: str, table_address: int) -> Any:
    signature = types.void(types.intp, types.intp, types.intp, types.intp)
    real = types.ExternalFunction(real_name, signature)
    longest = _LONGEST_TICKS

    def stub(lanes: Any, scene: Any, packet: Any, arguments: Any) -> None:
        start = _clock()
        real(lanes, scene, packet, arguments)
        ticks = _clock() - start
        table = carray(_pointer(table_address), 4, np.int64)
        switches = carray(_pointer(lanes), 16, np.int32)
        table[0] += 1
        for lane in range(16):
            if switches[lane] != 0:
                table[1] += 1
        if ticks < longest:
            table[2] += ticks
        else:
            table[3] += 1

    return cfunc(signature)(stub)


def _calibrate() -> float:
    """Return how often the processor's clock ticks in a second."""
    from numba import njit

    read: Any = njit(lambda: _clock())
    read()
    start, wall = read(), time.perf_counter()
    time.sleep(0.2)
    return float((read() - start) / (time.perf_counter() - wall))
