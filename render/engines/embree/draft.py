"""`draft`: direct light on what the centre rays see, in one pass over the picture.

One shadow ray a pixel towards an emitter chosen by what it may bring. The rays of a tile are cast emitter by emitter, so that
the sixteen of a packet go the same way. Panes and cut-outs cast no shadow here, and gloss and smooth edges are left out.
"""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.emit import (
    choose_emitter,
    sample_light,
    sky_radiance,
    weigh_cell,
)
from scenelift.render.engines.embree.kernels import inlined, inlined_exact, kernel
from scenelift.render.engines.embree.packets import OPAQUE, TFAR, occluded16
from scenelift.render.engines.embree.path import HIT, THR, aim, offset_of, shading_normal
from scenelift.render.engines.embree.sampling import morton
from scenelift.render.engines.embree.surface import reflectance
from scenelift.render.engines.embree.view import DIFFUSE, kind_of, look_through

TILE, BINS = 32, 64
"""Side of a tile in pixels, a multiple of 4; emitters that are kept apart within it."""
_U = np.uint32


@inlined_exact
@typing.no_type_check
def three_numbers(index, seed):
    """Three numbers in [0, 1) that fill the cube evenly along an index (Roberts 2018, the R3 sequence)."""
    i = _U(index)
    a = _U(_U(i * _U(0xD1B54A33)) + seed)
    b = _U(_U(i * _U(0xABC98389)) + _U(seed * _U(0x9E3779B1)))
    c = _U(_U(i * _U(0x8CB92BA7)) + _U(seed * _U(0x85EBCA6B)))
    return a / 4294967296.0, b / 4294967296.0, c / 4294967296.0


@inlined
@typing.no_type_check
def sort_by_emitter(keys, count, starts, order):
    """Write the positions of the first `count` keys into `order`, equal keys together."""
    for key in range(BINS):
        starts[key] = 0
    for n in range(count):
        keys[n] = min(keys[n], BINS - 1)
        starts[keys[n]] += 1
    before = 0
    for key in range(BINS):
        many = starts[key]
        starts[key] = before
        before += many
    for n in range(count):
        order[starts[keys[n]]] = n
        starts[keys[n]] += 1


@kernel
@typing.no_type_check
def cast_sorted(bvh, arguments, memory, count, light):
    """Write the light of those of `count` shadow rays that nothing opaque stops to their owners' rows."""
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    rays, owners, order = memory.shadows, memory.owners, memory.alive
    for first in range(0, count, 16):
        many = min(16, count - first)
        for i in range(16):
            lanes[i] = -1 if i < many else 0
            if i < many:
                aim(packet, bits, i, rays[order[first + i]], 0.0, OPAQUE)
        occluded16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
        for i in range(many):
            if packet[TFAR, i] >= 0.0:
                n = order[first + i]
                for c in range(3):
                    light[owners[n], c] = rays[n, 7 + c]


@kernel
@typing.no_type_check
def light_directly(
    bvh,
    arguments,
    tables,
    lights,
    memory,
    eye,
    rotation,
    focal,
    face,
    uvt,
    albedo,
    seed,
    ambient,
    base,
    light,
    glow,
):
    """Write to `glow` (zero, a row a pixel) what one sees: emitted light plus reflectance times the light that arrives.

    `base` and `light` are zeroed room for reflectance, tint of panes included, and light; `albedo` is the labels'. An even
    light is added, `ambient` times the mean of what arrives.
    """
    h, w = face.shape
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    rays, owners, keys, cumulated = memory.shadows, memory.owners, memory.faces, memory.cumulated
    across = (w + TILE - 1) // TILE
    for tile in range(((h + TILE - 1) // TILE) * across):
        top, left = TILE * (tile // across), TILE * (tile % across)
        count = 0
        for place in range(TILE * TILE):
            y = top + place // (4 * TILE) * 4 + place % 16 // 4
            x = left + place // 16 * 4 % TILE + place % 4
            if y >= h or x >= w:
                continue
            row, f = y * w + x, face[y, x]
            cx, cy = (x + 0.5 - 0.5 * w) / focal, (0.5 * h - y - 0.5) / focal
            dx = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
            dy = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
            dz = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
            u, v, t = uvt[y, x, 0], uvt[y, x, 1], uvt[y, x, 2]
            px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
            red, green, blue = albedo[y, x, 0], albedo[y, x, 1], albedo[y, x, 2]
            tr, tg, tb = 1.0, 1.0, 1.0
            if f >= 0 and kind_of(tables, f) != DIFFUSE:
                p = memory.paths[0]
                scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
                p[0], p[1], p[2] = eye[0], eye[1], eye[2]
                p[3], p[4], p[5] = dx * scale, dy * scale, dz * scale
                p[THR], p[THR + 1], p[THR + 2] = 1.0, 1.0, 1.0
                p[HIT], p[HIT + 1], p[HIT + 2] = u, v, t / scale
                f, _ = look_through(bvh, arguments, tables, packet, bits, lanes, p, f)
                dx, dy, dz = np.float64(p[3]), np.float64(p[4]), np.float64(p[5])
                u, v, t = p[HIT], p[HIT + 1], p[HIT + 2]
                tr, tg, tb = p[THR], p[THR + 1], p[THR + 2]
                if f >= 0:
                    px, py, pz = p[0] + t * dx, p[1] + t * dy, p[2] + t * dz
                    red, green, blue = reflectance(tables, f, u, v, 0)
            if f < 0:
                r, g, b = sky_radiance(lights, dy / math.sqrt(dx * dx + dy * dy + dz * dz))
                glow[row, 0], glow[row, 1], glow[row, 2] = tr * r, tg * g, tb * b
                continue
            m = tables.materials[tables.face_material[f]]
            base[row, 0], base[row, 1], base[row, 2] = tr * red, tg * green, tb * blue
            glow[row, 0], glow[row, 1], glow[row, 2] = tr * m[7], tg * m[8], tb * m[9]
            if lights.kind.shape[0] == 0:
                continue
            n = tables.planes[f]
            nx, ny, nz, off = n[0], n[1], n[2], n[3]
            if nx * dx + ny * dy + nz * dz > 0.0:
                nx, ny, nz, off = -nx, -ny, -nz, -off
            lift = offset_of(px, py, pz)
            step = lift - (nx * px + ny * py + nz * pz - off)
            sx, sy, sz = shading_normal(tables, f, u, v, nx, ny, nz, dx, dy, dz)
            px, py, pz = px + step * nx, py + step * ny, pz + step * nz
            total = weigh_cell(lights, px, py, pz, sx, sy, sz, cumulated)
            if total <= 0.0 and lights.complete:
                continue
            choice, a, b = three_numbers(morton(x, y), seed)
            k, share, again = choose_emitter(
                lights, cumulated, total, px, py, pz, sx, sy, sz, choice
            )
            lx, ly, lz, far, lr, lg, lb, _ = sample_light(
                tables, lights, total, px, py, pz, sx, sy, sz, k, share, again, a, b
            )
            cosine = lx * sx + ly * sy + lz * sz
            if cosine <= 0.0 or lx * nx + ly * ny + lz * nz <= 0.0:
                continue
            ray = rays[count]
            ray[0], ray[1], ray[2] = px, py, pz
            ray[3], ray[4], ray[5] = lx, ly, lz
            ray[6] = far * (1.0 - 1e-4) - lift
            gain = cosine / np.pi
            ray[7], ray[8], ray[9] = gain * lr, gain * lg, gain * lb
            owners[count] = row
            keys[count] = k
            count += 1
        sort_by_emitter(keys, count, memory.corners, memory.alive)
        cast_sorted(bvh, arguments, memory, count, light)
    surfaces, red, green, blue = 0, 0.0, 0.0, 0.0
    for row in range(h * w):
        if base[row, 0] + base[row, 1] + base[row, 2] > 0.0:
            surfaces += 1
            red, green, blue = red + light[row, 0], green + light[row, 1], blue + light[row, 2]
    even = ambient / max(surfaces, 1)
    for row in range(h * w):
        glow[row, 0] += base[row, 0] * (light[row, 0] + even * red)
        glow[row, 1] += base[row, 1] * (light[row, 1] + even * green)
        glow[row, 2] += base[row, 2] * (light[row, 2] + even * blue)
