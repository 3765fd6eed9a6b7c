"""Light on what the centre rays see: one surface a pixel, its light, and the picture put together from both.

A pixel's surface is looked for through panes and perfect mirrors. Its light is traced with the surface's own
reflectance divided out, so that a denoiser or a coarser grid blurs light and never texture.
"""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.bsdf import (
    DELTA_ALPHA,
    gloss_strength,
    pane_reflectance,
    schlick,
)
from scenelift.render.engines.embree.emit import sky_radiance
from scenelift.render.engines.embree.kernels import inlined, kernel
from scenelift.render.engines.embree.packets import (
    DX,
    DY,
    DZ,
    HIT_U,
    HIT_V,
    OX,
    OY,
    OZ,
    TFAR,
    TNEAR,
    face_of,
    intersect_packet,
    plane_distance,
)
from scenelift.render.engines.embree.path import (
    COLUMNS,
    DENSITY,
    HIT,
    THR,
    intersect_paths,
    offset_of,
    trace_paths,
)
from scenelift.render.engines.embree.sampling import morton, reverse_bits
from scenelift.render.engines.embree.surface import level_for, reflectance

TILE = 32
DIFFUSE, PANE, MIRROR = 0, 1, 2
"""How a surface is looked at: as it is, through it, or at what it reflects."""


@inlined
@typing.no_type_check
def kind_of(tables, face):
    """Whether one looks at a surface, through it or into it."""
    m = tables.materials[tables.face_material[face]]
    if m[6] >= 0.5:
        return PANE
    if m[4] >= 0.9 and m[5] * m[5] < DELTA_ALPHA:
        return MIRROR
    return DIFFUSE


@inlined
@typing.no_type_check
def effective_reflectance(tables, face, u, v, level):
    """What light is divided by: base colour, plus a dielectric's gloss, never near zero."""
    red, green, blue = reflectance(tables, face, u, v, level)
    m = tables.materials[tables.face_material[face]]
    gloss = 0.04 * (1.0 - m[4]) * gloss_strength(np.float64(m[4]), np.float64(m[5]))
    return max(red + gloss, 0.01), max(green + gloss, 0.01), max(blue + gloss, 0.01)


@kernel
@typing.no_type_check
def look_through(bvh, arguments, tables, packet, bits, lanes, p, f):
    """Follow a path that has hit face f through panes and mirrors; it then stands before what it hits last.

    Returns:
        The face that is seen (-1 = sky), and the length of the way up to the path's new origin.
    """
    length = 0.0
    for _ in range(8):
        if f < 0:
            break
        kind = kind_of(tables, f)
        if kind == DIFFUSE:
            break
        length += p[HIT + 2]
        n = tables.planes[f]
        slope = n[0] * p[3] + n[1] * p[4] + n[2] * p[5]
        px = p[0] + p[HIT + 2] * p[3]
        py = p[1] + p[HIT + 2] * p[4]
        pz = p[2] + p[HIT + 2] * p[5]
        step = offset_of(px, py, pz) * (1.0 if slope > 0.0 else -1.0)
        r, g, b = reflectance(tables, f, p[HIT], p[HIT + 1], 0)
        if kind == PANE:
            share = 1.0 - pane_reflectance(abs(slope))
            r, g, b = r * share, g * share, b * share
        else:
            step = -step
            p[3], p[4], p[5] = (
                p[3] - 2.0 * slope * n[0],
                p[4] - 2.0 * slope * n[1],
                p[5] - 2.0 * slope * n[2],
            )
            r, g, b = (
                schlick(r, abs(slope)),
                schlick(g, abs(slope)),
                schlick(b, abs(slope)),
            )
        p[THR] *= r
        p[THR + 1] *= g
        p[THR + 2] *= b
        p[0], p[1], p[2] = px + step * n[0], py + step * n[1], pz + step * n[2]
        for i in range(16):
            lanes[i] = 0
        lanes[0] = -1
        packet[OX, 0], packet[OY, 0], packet[OZ, 0] = p[0], p[1], p[2]
        packet[DX, 0], packet[DY, 0], packet[DZ, 0] = p[3], p[4], p[5]
        packet[TNEAR, 0] = 0.0
        intersect_packet(bvh, arguments, packet, bits, lanes, tables)
        f = face_of(bits, 0, tables.num_opaque)
        p[HIT], p[HIT + 1], p[HIT + 2] = (
            packet[HIT_U, 0],
            packet[HIT_V, 0],
            packet[TFAR, 0],
        )
    return f, length


@kernel
@typing.no_type_check
def see(
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
    sights,
    seen,
    surface,
    glow,
):
    """Follow each centre ray through panes and mirrors to the surface that is seen.

    Writes the path row of arrival (tint in its throughput), the seen face (-1 = sky), and `surface`:
    reflectance times tint (3), world normal towards the viewer (3), path length in metres; `glow` is emitted light.
    """
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    h, w = face.shape
    for y in range(h):
        for x in range(w):
            row = y * w + x
            p = sights[row]
            cx, cy = (x + 0.5 - 0.5 * w) / focal, (0.5 * h - y - 0.5) / focal
            dx = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
            dy = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
            dz = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
            stretch = math.sqrt(dx * dx + dy * dy + dz * dz)
            p[0], p[1], p[2] = eye[0], eye[1], eye[2]
            p[3], p[4], p[5] = dx / stretch, dy / stretch, dz / stretch
            p[THR], p[THR + 1], p[THR + 2] = 1.0, 1.0, 1.0
            p[DENSITY] = 0.0
            f = face[y, x]
            p[HIT], p[HIT + 1] = uvt[y, x, 0], uvt[y, x, 1]
            t = np.float64(uvt[y, x, 2])
            if f >= 0:
                t = plane_distance(tables, f, eye[0], eye[1], eye[2], dx, dy, dz, t)
            p[HIT + 2] = t * stretch
            f, length = look_through(bvh, arguments, tables, packet, bits, lanes, p, f)
            seen[row] = f
            s = surface[row]
            if f < 0:
                r, g, b = sky_radiance(lights, p[4])
                glow[row, 0], glow[row, 1], glow[row, 2] = (
                    p[THR] * r,
                    p[THR + 1] * g,
                    p[THR + 2] * b,
                )
                s[0], s[1], s[2], s[3], s[4], s[5], s[6] = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                continue
            m = tables.materials[tables.face_material[f]]
            for c in range(3):
                glow[row, c] = p[THR + c] * m[7 + c]
            n = tables.planes[f]
            slope = n[0] * p[3] + n[1] * p[4] + n[2] * p[5]
            flip = -1.0 if slope > 0.0 else 1.0
            s[3], s[4], s[5] = flip * n[0], flip * n[1], flip * n[2]
            s[6] = length + p[HIT + 2]
            footprint = s[6] / focal / math.sqrt(max(abs(slope), 0.05))
            level = level_for(tables, f, footprint)
            r, g, b = effective_reflectance(tables, f, p[HIT], p[HIT + 1], level)
            s[0], s[1], s[2] = r * p[THR], g * p[THR + 1], b * p[THR + 2]


@kernel
@typing.no_type_check
def light_view(
    bvh,
    arguments,
    tables,
    lights,
    memory,
    width,
    height,
    sights,
    seen,
    samples,
    spacing,
    seed,
    bounces,
    soften,
    tail,
    light,
):
    """Trace `samples` paths from what each pixel sees and write the mean light, reflectance divided out."""
    paths, faces, indices, pixels = memory.paths, memory.faces, memory.indices, memory.pixels
    out = memory.out
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            count = 0
            for by in range(top, min(top + TILE, height), 4):
                for bx in range(left, min(left + TILE, width), 4):
                    for i in range(16):
                        y, x = by + i // 4, bx + i % 4
                        if y < height and x < width and seen[y * width + x] >= 0:
                            pixels[count, 0], pixels[count, 1] = x, y
                            count += 1
            for sample in range(samples):
                for k in range(count):
                    x, y = pixels[k, 0], pixels[k, 1]
                    row = y * width + x
                    number = np.uint32(
                        np.uint32(morton(x, y) * np.uint32(spacing)) + np.uint32(sample)
                    )
                    indices[k] = reverse_bits(number)
                    faces[k] = seen[row]
                    p, q = paths[k], sights[row]
                    for c in range(COLUMNS):
                        p[c] = q[c]
                    p[THR], p[THR + 1], p[THR + 2] = 1.0, 1.0, 1.0
                    out[k, 0], out[k, 1], out[k, 2] = 0.0, 0.0, 0.0
                trace_paths(
                    bvh,
                    arguments,
                    tables,
                    lights,
                    memory,
                    count,
                    seed,
                    bounces,
                    soften,
                    True,
                    tail,
                )
                for k in range(count):
                    row = pixels[k, 1] * width + pixels[k, 0]
                    p = sights[row]
                    r, g, b = effective_reflectance(tables, seen[row], p[HIT], p[HIT + 1], 0)
                    if out[k, 0] + out[k, 1] + out[k, 2] < 1e30:
                        light[row, 0] += out[k, 0] / r / samples
                        light[row, 1] += out[k, 1] / g / samples
                        light[row, 2] += out[k, 2] / b / samples


@kernel
@typing.no_type_check
def reflect_view(
    bvh,
    arguments,
    tables,
    lights,
    memory,
    face,
    uvt,
    eye,
    rotation,
    focal,
    seed,
    bounces,
    soften,
    veil,
):
    """Write what panes reflect towards the viewer, one path a pixel that shows a pane."""
    h, w = face.shape
    paths, indices, pixels, out = memory.paths, memory.indices, memory.pixels, memory.out
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    count = 0
    for row in range(h * w + 1):
        if row < h * w:
            y, x = row // w, row % w
            f = face[y, x]
            if f >= 0 and kind_of(tables, f) == PANE:
                cx, cy = (x + 0.5 - 0.5 * w) / focal, (0.5 * h - y - 0.5) / focal
                dx = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
                dy = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
                dz = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
                t = uvt[y, x, 2]
                px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
                scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx * scale, dy * scale, dz * scale
                n = tables.planes[f]
                slope = n[0] * dx + n[1] * dy + n[2] * dz
                step = offset_of(px, py, pz) * (-1.0 if slope > 0.0 else 1.0)
                p = paths[count]
                p[0], p[1], p[2] = px + step * n[0], py + step * n[1], pz + step * n[2]
                p[3], p[4], p[5] = (
                    dx - 2.0 * slope * n[0],
                    dy - 2.0 * slope * n[1],
                    dz - 2.0 * slope * n[2],
                )
                share = pane_reflectance(abs(slope))
                p[THR], p[THR + 1], p[THR + 2] = share, share, share
                p[DENSITY] = 0.0
                indices[count] = reverse_bits(morton(x, y))
                pixels[count, 0], pixels[count, 1] = x, y
                memory.alive[count] = count
                out[count, 0], out[count, 1], out[count, 2] = 0.0, 0.0, 0.0
                count += 1
        if count == paths.shape[0] or (row == h * w and count > 0):
            intersect_paths(
                bvh,
                arguments,
                tables,
                packet,
                bits,
                lanes,
                paths,
                memory.alive,
                count,
                memory.faces,
            )
            trace_paths(
                bvh,
                arguments,
                tables,
                lights,
                memory,
                count,
                np.uint32(seed ^ np.uint32(0x5BD1E995)),
                bounces,
                soften,
                False,
                0.0,
            )
            for k in range(count):
                place = pixels[k, 1] * w + pixels[k, 0]
                if out[k, 0] + out[k, 1] + out[k, 2] < 1e30:
                    veil[place, 0], veil[place, 1], veil[place, 2] = out[k, 0], out[k, 1], out[k, 2]
            count = 0
