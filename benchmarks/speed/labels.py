"""Labels and direct light against Open3D's ray caster with NumPy shading. Bar: six times as fast.

    python -m scenelift.benchmarks.speed.labels [--json PATH]

256x256, depth, normals, ids, reflectance and the light of all lamps by one shadow ray a pixel, over views of several
rooms, frame by frame in turn. Both have two threads: Open3D casts each frame's rays with two; the default engine, whose
kernels hold no lock, draws two frames at a time, each with its own engine. The scenes are the same objects in memory.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from scenelift.benchmarks.speed.diffuse_room import diffuse_room, room_camera
from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.benchmarks.speed.rooms import room_views
from scenelift.render.camera import Camera
from scenelift.render.engines import Engine
from scenelift.render.engines.embree import prepare as prepare_embree
from scenelift.render.engines.open3d import prepare as prepare_open3d
from scenelift.render.scene import Scene
