"""Which emitters matter where: a coarse grid, filled once a scene, that steers light sampling.

Each cell lists its strongest emitters and how much of each is in sight, by sixteen shadow rays from points in the
cell. A wrong guess costs noise, never truth: every emitter keeps a floor.
"""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.emit import sample_emitter
from scenelift.render.engines.embree.kernels import inlined, kernel
from scenelift.render.engines.embree.lights import SUN, Lights
from scenelift.render.engines.embree.packets import OPAQUE, TFAR, occluded16
from scenelift.render.engines.embree.path import Memory, aim
from scenelift.render.engines.embree.sampling import hash32
from scenelift.render.engines.embree.tables import Tables

FLOOR = 0.06
"""Least share in sight that a cell may claim."""


def survey(bvh: int, arguments: int, tables: Tables, lights: Lights, memory: Memory) -> None:
    """Fill the grid of `lights`, in place."""
    if len(lights.kind):
        _survey(bvh, arguments, tables, lights, memory)


@inlined
@typing.no_type_check
def _number(a, b):
    return hash32(np.uint32(np.uint32(a) ^ hash32(np.uint32(b)))) / 4294967296.0


@inlined
@typing.no_type_check
def _strength(lights, k, x, y, z, spread):
    """Irradiance that emitter k may bring to a cell about (x, y, z)."""
    if lights.kind[k] == SUN:
        return lights.power[k]
    c = lights.centre[k]
    away = math.sqrt((c[0] - x) ** 2 + (c[1] - y) ** 2 + (c[2] - z) ** 2)
    near = max(away - spread, lights.reach[k], 0.5 * spread)
    return lights.power[k] / (near * near)


@kernel
@typing.no_type_check
def _survey(bvh, arguments, tables, lights, memory):
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    rays = memory.shadows
    shape, low, scale = lights.grid_shape, lights.grid_low, lights.grid_scale
    slots = lights.cell_lights.shape[1]
    spread = 0.5 * math.sqrt(1 / scale[0] ** 2 + 1 / scale[1] ** 2 + 1 / scale[2] ** 2)
    for cell in range(lights.cell_lights.shape[0]):
        i, j, k = (
            cell // (shape[1] * shape[2]),
            cell // shape[2] % shape[1],
            cell % shape[2],
        )
        cx = low[0] + (i + 0.5) / scale[0]
        cy = low[1] + (j + 0.5) / scale[1]
        cz = low[2] + (k + 0.5) / scale[2]
        for light in range(lights.kind.shape[0]):
            strength = _strength(lights, light, cx, cy, cz, spread)
            slot = slots
            while slot > 0:
                other = lights.cell_lights[cell, slot - 1]
                if other >= 0 and _strength(lights, other, cx, cy, cz, spread) >= strength:
                    break
                if slot < slots:
                    lights.cell_lights[cell, slot] = other
                slot -= 1
            if slot < slots:
                lights.cell_lights[cell, slot] = light
        for slot in range(slots):
            light = lights.cell_lights[cell, slot]
            for n in range(16):
                key = (cell * 64 + slot) * 16 + n
                px = cx + (_number(key, 1) - 0.5) / scale[0]
                py = cy + (_number(key, 2) - 0.5) / scale[1]
                pz = cz + (_number(key, 3) - 0.5) / scale[2]
                dx, dy, dz, t, _, _, _, _ = sample_emitter(
                    tables,
                    lights,
                    light,
                    px,
                    py,
                    pz,
                    (n + 0.5) / 16,
                    _number(key, 4),
                    _number(key, 5),
                )
                ray = rays[n]
                ray[0], ray[1], ray[2] = px, py, pz
                ray[3], ray[4], ray[5] = dx, dy, dz
                ray[6] = 0.999 * t
                aim(packet, bits, n, ray, 0.0, OPAQUE)
                lanes[n] = -1
            seen = 16
            if tables.num_opaque > 0:
                occluded16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
                for n in range(16):
                    if not packet[TFAR, n] >= 0.0:
                        seen -= 1
            lights.cell_seen[cell, slot] = max(seen / 16.0, FLOOR)
        total = 0.0
        for slot in range(slots):
            light = lights.cell_lights[cell, slot]
            strength = _strength(lights, light, cx, cy, cz, spread)
            total += lights.cell_seen[cell, slot] * strength
            lights.cell_cdf[cell, slot] = total
        for slot in range(slots):
            lights.cell_cdf[cell, slot] /= max(total, 1e-30)
