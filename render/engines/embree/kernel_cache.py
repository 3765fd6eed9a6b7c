"""Compiled kernels on disk, dropped when any of their sources has changed.

numba looks at the file of a cached kernel alone, but kernels here contain code of their neighbours' files.
"""

import contextlib
from pathlib import Path


def drop_stale_kernels(folder: Path) -> int:
    """Delete the cache indices of a package's kernels that are older than its newest source.

    Args:
        folder: The package's folder; its caches lie in `__pycache__`.

    Returns:
        How many were deleted. A folder that may not be written keeps its caches: nobody changes its sources either.
    """
    newest = max((source.stat().st_mtime_ns for source in folder.glob("*.py")), default=0)
    dropped = 0
    for index in (folder / "__pycache__").glob("*.nbi"):
        with contextlib.suppress(OSError):
            if index.stat().st_mtime_ns < newest:
                index.unlink()
                dropped += 1
    return dropped
