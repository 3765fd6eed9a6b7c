"""From light on surfaces to a picture with smooth edges."""

import math
import typing

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
)
from scenelift.render.engines.embree.surface import level_for
from scenelift.render.engines.embree.view import DIFFUSE, effective_reflectance, kind_of


@kernel
@typing.no_type_check
def assemble(light, surface, glow, picture):
    """Picture = emitted light + reflectance times light."""
    for row in range(light.shape[0]):
        for c in range(3):
            picture[row, c] = glow[row, c] + surface[row, c] * light[row, c]


@inlined
@typing.no_type_check
def is_edge(width, height, x, y, seen, surface, tables):
    """Whether a neighbour of a pixel shows another instance or material, or another direction or depth."""
    row = y * width + x
    f = seen[row]
    s = surface[row]
    for i in range(8):
        j = i if i < 4 else i + 1
        yy, xx = y + j // 3 - 1, x + j % 3 - 1
        if yy < 0 or xx < 0 or yy >= height or xx >= width:
            continue
        other = yy * width + xx
        g = seen[other]
        if (g < 0) != (f < 0):
            return True
        if f < 0 or g == f:
            continue
        if tables.face_instance[g] != tables.face_instance[f]:
            return True
        if tables.face_material[g] != tables.face_material[f]:
            return True
        q = surface[other]
        if s[3] * q[3] + s[4] * q[4] + s[5] * q[5] < 0.9:
            return True
        if abs(q[6] - s[6]) > 0.1 * s[6]:
            return True
    return False


@inlined
@typing.no_type_check
def source_of(width, height, x, y, fx, fy, face, first, seen, surface, tables, nx, ny, nz):
    """The pixel near (x, y) whose light a sub-sample at (fx, fy) on `face` borrows, -1 = none."""
    best, best_score = -1, 0.0
    instance, material = tables.face_instance[face], tables.face_material[face]
    for i in range(9):
        yy, xx = y + i // 3 - 1, x + i % 3 - 1
        if yy < 0 or xx < 0 or yy >= height or xx >= width:
            continue
        row = yy * width + xx
        g = seen[row]
        if g < 0 or g != first[yy, xx] or tables.face_instance[g] != instance:
            continue
        q = surface[row]
        facing = nx * q[3] + ny * q[4] + nz * q[5]
        if facing < 0.3:
            continue
        away = (xx + 0.5 - fx) * (xx + 0.5 - fx) + (yy + 0.5 - fy) * (yy + 0.5 - fy)
        score = facing * facing / (0.3 + away)
        if tables.face_material[g] != material:
            score *= 0.3
        if score > best_score:
            best, best_score = row, score
    return best


@kernel
@typing.no_type_check
def smooth_edges(
    bvh,
    arguments,
    tables,
    lights,
    memory,
    eye,
    rotation,
    focal,
    width,
    height,
    first,
    seen,
    surface,
    light,
    picture,
    edges,
    smooth,
):
    """Replace edge pixels by the mean of four rays through them, each lit like the pixel that shows its surface.

    `edges` lists them (room for every pixel); returns their number. `smooth` must hold a copy of `picture`.
    """
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    count = 0
    for y in range(height):
        for x in range(width):
            if is_edge(width, height, x, y, seen, surface, tables):
                edges[count] = y * width + x
                count += 1
    for begin in range(0, count, 4):
        for i in range(16):
            k = begin + i // 4
            lanes[i] = -1 if k < count else 0
            if k >= count:
                continue
            y, x = edges[k] // width, edges[k] % width
            fx = x + 0.125 + 0.25 * ((i % 4) * 2 % 4 + (i % 4) // 2)
            fy = y + 0.125 + 0.25 * (i % 4)
            cx, cy = (fx - 0.5 * width) / focal, (0.5 * height - fy) / focal
            packet[OX, i], packet[OY, i], packet[OZ, i] = eye[0], eye[1], eye[2]
            packet[DX, i] = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
            packet[DY, i] = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
            packet[DZ, i] = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
            packet[TNEAR, i] = 0.0
        intersect_packet(bvh, arguments, packet, bits, lanes, tables)
        for k in range(begin, min(begin + 4, count)):
            row = edges[k]
            y, x = row // width, row % width
            red, green, blue = 0.0, 0.0, 0.0
            for j in range(4):
                i = 4 * (k - begin) + j
                dx, dy, dz = packet[DX, i], packet[DY, i], packet[DZ, i]
                face = face_of(bits, i, tables.num_opaque)
                if face < 0:
                    r, g, b = sky_radiance(lights, dy / math.sqrt(dx * dx + dy * dy + dz * dz))
                    red, green, blue = red + r, green + g, blue + b
                    continue
                n = tables.planes[face]
                slope = n[0] * dx + n[1] * dy + n[2] * dz
                flip = -1.0 if slope > 0.0 else 1.0
                fx, fy = x + 0.125 + 0.25 * (j * 2 % 4 + j // 2), y + 0.125 + 0.25 * j
                source = -1
                if kind_of(tables, face) == DIFFUSE:
                    source = source_of(
                        width,
                        height,
                        x,
                        y,
                        fx,
                        fy,
                        face,
                        first,
                        seen,
                        surface,
                        tables,
                        flip * n[0],
                        flip * n[1],
                        flip * n[2],
                    )
                if source < 0:
                    red += picture[row, 0]
                    green += picture[row, 1]
                    blue += picture[row, 2]
                    continue
                footprint = 0.5 * packet[TFAR, i] / focal
                level = level_for(tables, face, footprint)
                r, g, b = effective_reflectance(
                    tables, face, packet[HIT_U, i], packet[HIT_V, i], level
                )
                m = tables.materials[tables.face_material[face]]
                red += m[7] + r * light[source, 0]
                green += m[8] + g * light[source, 1]
                blue += m[9] + b * light[source, 2]
            smooth[row, 0], smooth[row, 1], smooth[row, 2] = 0.25 * red, 0.25 * green, 0.25 * blue
    return count
