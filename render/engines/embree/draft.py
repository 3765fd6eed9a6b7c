"""`draft`: direct light on what the centre rays see, in one pass over the picture.

One shadow ray a pixel. Of each tile of 16 x 16 pixels, every fourth one across and down go together: they share the choice of
an emitter and fill one packet, and the sixteen groups of a tile take sixteen strata of that choice (interleaved sampling,
Keller and Heidrich 2001). Panes and cut-outs cast no shadow here, and gloss and smooth edges are left out.
"""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.emit import (
    cell_chance,
    cell_of,
    cell_portal_density,
    choose_for_cell,
    sample_emitter,
    sky_radiance,
)
from scenelift.render.engines.embree.kernels import inlined, inlined_exact, kernel
from scenelift.render.engines.embree.lights import PORTAL
from scenelift.render.engines.embree.packets import OPAQUE, TFAR, occluded16
from scenelift.render.engines.embree.path import HIT, THR, aim, offset_of, shading_normal
from scenelift.render.engines.embree.sampling import hash32, morton
from scenelift.render.engines.embree.surface import reflectance
from scenelift.render.engines.embree.view import DIFFUSE, kind_of, look_through

_U = np.uint32


@inlined_exact
@typing.no_type_check
def pair_of_pixel(x, y, seed):
    """Two numbers in [0, 1), even over neighbouring pixels (Roberts 2018, the R2 sequence along a Z-order curve)."""
    i = morton(x, y)
    a = _U(_U(i * _U(0xC13FA9A9)) + seed)
    b = _U(_U(i * _U(0x91E10DA5)) + hash32(seed))
    return a / 4294967296.0, b / 4294967296.0


@inlined_exact
@typing.no_type_check
def stratum_of(group, tile_x, tile_y, seed):
    """A number in [0, 1) for a group: its neighbours far apart (Bayer's order), those of neighbouring tiles in between."""
    place = _U(_U(morton(tile_x, tile_y) * _U(0x9E3779B9)) + hash32(_U(~seed)))
    group = _U(_U(group) ^ _U(hash32(place) & _U(15)))
    y, d = _U(group >> _U(2)), _U(_U(group >> _U(2)) ^ _U(group & _U(3)))
    rank = _U(_U(_U(d & _U(1)) << _U(3)) | _U(_U(y & _U(1)) << _U(2)))
    rank = _U(rank | _U(d & _U(2)) | _U(y >> _U(1)))
    return (rank + place / 4294967296.0) / 16.0


@inlined
@typing.no_type_check
def aim_at_emitter(tables, lights, cell, k, chance, again, a, b, ray, facing):
    """Turn a ray, whose origin is set, into one towards emitter k with the light that it would bring; whether it brings any.

    `facing` is the surface's normal and its shading normal.
    """
    px, py, pz = np.float64(ray[0]), np.float64(ray[1]), np.float64(ray[2])
    dx, dy, dz, far, red, green, blue, density = sample_emitter(
        tables, lights, k, px, py, pz, again, a, b
    )
    cosine = dx * facing[3] + dy * facing[4] + dz * facing[5]
    if cosine <= 0.0 or dx * facing[0] + dy * facing[1] + dz * facing[2] <= 0.0:
        return False
    gain = cosine / (np.pi * chance)
    if lights.kind[k] == PORTAL and lights.num_portals > 1:
        gain = cosine * density / np.pi
        gain /= cell_portal_density(lights, cell, px, py, pz, dx, dy, dz)
    ray[3], ray[4], ray[5] = dx, dy, dz
    ray[6] = far * (1.0 - 1e-4) - offset_of(px, py, pz)
    ray[7], ray[8], ray[9] = gain * red, gain * green, gain * blue
    return True


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
    picture,
):
    """Write to `picture` (zero, a row a pixel) what one sees: emitted light plus reflectance times the light that arrives.

    `base` is zeroed room for reflectance, tint of panes included; `albedo` is the labels'. An even light is added,
    `ambient` times the mean of what arrives.
    """
    h, w = face.shape
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    rays, facings, rows = memory.shadows, memory.guides, memory.owners
    across = (w + 15) // 16
    surfaces, red_sum, green_sum, blue_sum = 0, 0.0, 0.0, 0.0
    for number in range((h + 15) // 16 * across * 16):
        tile, group = number // 16, number % 16
        top, left = 16 * (tile // across) + group // 4, 16 * (tile % across) + group % 4
        many, mx, my, mz = 0, 0.0, 0.0, 0.0
        for i in range(16):
            rows[i] = -1
            y, x = top + i // 4 * 4, left + i % 4 * 4
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
                picture[row, 0], picture[row, 1], picture[row, 2] = tr * r, tg * g, tb * b
                continue
            m = tables.materials[tables.face_material[f]]
            base[row, 0], base[row, 1], base[row, 2] = tr * red, tg * green, tb * blue
            picture[row, 0], picture[row, 1], picture[row, 2] = tr * m[7], tg * m[8], tb * m[9]
            n = tables.planes[f]
            nx, ny, nz, off = n[0], n[1], n[2], n[3]
            if nx * dx + ny * dy + nz * dz > 0.0:
                nx, ny, nz, off = -nx, -ny, -nz, -off
            step = offset_of(px, py, pz) - (nx * px + ny * py + nz * pz - off)
            sx, sy, sz = shading_normal(tables, f, u, v, nx, ny, nz, dx, dy, dz)
            ray, facing = rays[i], facings[i]
            ray[0], ray[1], ray[2] = px + step * nx, py + step * ny, pz + step * nz
            facing[0], facing[1], facing[2] = nx, ny, nz
            facing[3], facing[4], facing[5] = sx, sy, sz
            rows[i] = row
            many, mx, my, mz = many + 1, mx + px, my + py, mz + pz
        surfaces += many
        if many == 0 or lights.kind.shape[0] == 0:
            continue
        cell = cell_of(lights, mx / many, my / many, mz / many)
        k, again = choose_for_cell(
            lights, cell, stratum_of(group, tile % across, tile // across, seed)
        )
        if k < 0 or again < 0.0:
            continue
        chance = cell_chance(lights, cell, k)
        for i in range(16):
            lanes[i] = 0
            if rows[i] < 0:
                continue
            a, b = pair_of_pixel(left + i % 4 * 4, top + i // 4 * 4, seed)
            if lights.kind[k] == PORTAL:
                part = int(16.0 * again)
                a, b = (part % 4 + a) / 4.0, (part // 4 + b) / 4.0
            if aim_at_emitter(tables, lights, cell, k, chance, again, a, b, rays[i], facings[i]):
                aim(packet, bits, i, rays[i], 0.0, OPAQUE)
                lanes[i] = -1
            else:
                rows[i] = -1
        occluded16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
        for i in range(16):
            row, ray = rows[i], rays[i]
            if row < 0 or not packet[TFAR, i] >= 0.0:
                continue
            red_sum, green_sum, blue_sum = red_sum + ray[7], green_sum + ray[8], blue_sum + ray[9]
            picture[row, 0] += base[row, 0] * ray[7]
            picture[row, 1] += base[row, 1] * ray[8]
            picture[row, 2] += base[row, 2] * ray[9]
    even = ambient / max(surfaces, 1)
    red, green, blue = (
        np.float32(even * red_sum),
        np.float32(even * green_sum),
        np.float32(even * blue_sum),
    )
    for row in range(h * w):
        picture[row, 0] += base[row, 0] * red
        picture[row, 1] += base[row, 1] * green
        picture[row, 2] += base[row, 2] * blue
