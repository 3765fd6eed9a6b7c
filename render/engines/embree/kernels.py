"""How the kernels are compiled: cached on disk, without the interpreter's lock, without reference counts.

`_nrt=False` spares each call the counting on some twenty arrays; a kernel may then make no array of its own. numba's type
hints do not know it, hence `Any`.
"""

from typing import Any

from numba import njit

FAST = {"contract", "nsz", "arcp", "reassoc"}
"""Not `fastmath=True`: Embree reports an occluded ray with an infinity, and NaN must be seen."""

_options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}

kernel: Any = njit(**_options, fastmath=FAST)
"""A kernel that Python calls, or one too large to be copied into its callers."""
inlined: Any = njit(**_options, fastmath=FAST, forceinline=True)
"""A part of a kernel, copied into each caller."""
inlined_exact: Any = njit(**_options, forceinline=True)
"""A part whose arithmetic may not be rearranged."""
