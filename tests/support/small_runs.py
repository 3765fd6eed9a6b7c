"""Small rendering runs for tests, and what to compare in their files."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from scenelift.datasets.store import CHANNELS, Reader

SMALL = (
    "--width", "48", "--height", "48", "--quality", "draft", "--min-edge-pixels-256", "100",
    "--min-objects", "1", "--tries", "6",
)  # fmt: skip
"""Flags of a run of tiny pictures."""


def command(*arguments: str) -> list[str]:
    """The command line that runs `render-scenes` in a process of its own."""
    code = "import sys; from scenelift.render.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code, *arguments]


def run(*arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    """Run `render-scenes` to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, timeout=timeout_s
    )


def kill_after(seconds: float, *arguments: str) -> bool:
    """Start `render-scenes` and SIGKILL it after a time; return whether it was still running."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def wait_until(condition: object, *, timeout_s: float = 60) -> bool:
    """Poll a callable until it is true."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if callable(condition) and condition():
            return True
        time.sleep(0.02)
    return False


def contents(path: Path) -> dict[str, bytes]:
    """Every stored array and table of a file as bytes, by name, and the header as text."""
    reader = Reader(path)
    found = {"header": repr(reader.header).encode()}
    for column in reader.columns:
        found[f"view/{column}"] = reader.views(column).tobytes()
    K, T_world_camera = reader.cameras()
    found["camera/K"], found["camera/T"] = K.tobytes(), T_world_camera.tobytes()
    for index in range(len(reader)):
        for channel, values in reader.read(index, channels=CHANNELS).items():
            found[f"{channel}/{index}"] = np.ascontiguousarray(values).tobytes()
    for index in range(reader.num_scenes):
        found[f"scene/{index}"] = repr(reader.scene(index)).encode()
    reader.close()
    return found
