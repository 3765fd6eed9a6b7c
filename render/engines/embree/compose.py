"""From light on surfaces to a picture: a coarser grid for the denoiser, back again along surfaces, smooth edges."""

import math
import typing

from numba import njit

from scenelift.render.engines.embree.emit import sky_radiance
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
from scenelift.render.engines.embree.path import HIT
from scenelift.render.engines.embree.surface import FAST, level_for
from scenelift.render.engines.embree.view import DIFFUSE, effective_reflectance, kind_of


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST, forceinline=True)
@typing.no_type_check
def alikeness(surface, sights, a, b):
    """How well light at pixel a stands for light at pixel b: 1 on one plane, 0 across an edge."""
    s, q = surface[a], surface[b]
    facing = s[3] * q[3] + s[4] * q[4] + s[5] * q[5]
    if facing < 0.5:
        return 0.0
    p, o = sights[a], sights[b]
    x = o[0] + o[HIT + 2] * o[3] - p[0] - p[HIT + 2] * p[3]
    y = o[1] + o[HIT + 2] * o[4] - p[1] - p[HIT + 2] * p[4]
    z = o[2] + o[HIT + 2] * o[5] - p[2] - p[HIT + 2] * p[5]
    away = abs(x * q[3] + y * q[4] + z * q[5]) / (0.02 * q[6] + 1e-4)
    f2 = facing * facing
    f8 = f2 * f2 * f2 * f2
    return f8 * f8 / (1.0 + away * away)


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST)
@typing.no_type_check
def shrink(width, height, light, surface, sights, seen, small, small_albedo, small_normal, chosen):
    """Average light over 2 x 2 pixels that lie on one surface; `chosen` is the pixel that a cell stands for, -1 = none."""
    half_h, half_w = small.shape[0], small.shape[1]
    for v in range(half_h):
        for u in range(half_w):
            best, best_count = -1, 0.0
            for i in range(4):
                y, x = 2 * v + i // 2, 2 * u + i % 2
                if y >= height or x >= width or seen[y * width + x] < 0:
                    continue
                count = 0.0
                for j in range(4):
                    yy, xx = 2 * v + j // 2, 2 * u + j % 2
                    if yy < height and xx < width and seen[yy * width + xx] >= 0:
                        count += alikeness(surface, sights, yy * width + xx, y * width + x)
                if count > best_count:
                    best, best_count = y * width + x, count
            chosen[v, u] = best
            for c in range(3):
                small[v, u, c] = 0.0
                small_albedo[v, u, c] = 0.0
                small_normal[v, u, c] = 0.0
            if best < 0:
                continue
            total = 0.0
            for j in range(4):
                yy, xx = 2 * v + j // 2, 2 * u + j % 2
                if yy >= height or xx >= width or seen[yy * width + xx] < 0:
                    continue
                row = yy * width + xx
                weight = alikeness(surface, sights, row, best)
                total += weight
                for c in range(3):
                    small[v, u, c] += weight * light[row, c]
            for c in range(3):
                small[v, u, c] /= total
                small_albedo[v, u, c] = 1.0
                small_normal[v, u, c] = surface[best, 3 + c]


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST)
@typing.no_type_check
def grow(width, height, small, chosen, surface, sights, seen, light):
    """Give each pixel the light of the cells around it that lie on its surface, nearer ones more."""
    half_h, half_w = small.shape[0], small.shape[1]
    for y in range(height):
        for x in range(width):
            row = y * width + x
            if seen[row] < 0:
                continue
            cu, cv = 0.5 * x - 0.25, 0.5 * y - 0.25
            u0, v0 = math.floor(cu), math.floor(cv)
            total, red, green, blue = 0.0, 0.0, 0.0, 0.0
            for ring in range(2):
                if ring == 1 and total > 1e-3:
                    break
                for v in range(v0 - ring, v0 + 2 + ring):
                    for u in range(u0 - ring, u0 + 2 + ring):
                        if u < 0 or v < 0 or u >= half_w or v >= half_h or chosen[v, u] < 0:
                            continue
                        near = max(1.0 - abs(u - cu) / (1 + ring), 0.0) * max(
                            1.0 - abs(v - cv) / (1 + ring), 0.0
                        )
                        weight = (near + 1e-3) * (
                            alikeness(surface, sights, chosen[v, u], row) + 1e-6
                        )
                        total += weight
                        red += weight * small[v, u, 0]
                        green += weight * small[v, u, 1]
                        blue += weight * small[v, u, 2]
            if total > 0.0:
                light[row, 0], light[row, 1], light[row, 2] = (
                    red / total,
                    green / total,
                    blue / total,
                )


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST)
@typing.no_type_check
def assemble(light, surface, glow, picture):
    """Picture = emitted light + reflectance times light."""
    for row in range(light.shape[0]):
        for c in range(3):
            picture[row, c] = glow[row, c] + surface[row, c] * light[row, c]


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST, forceinline=True)
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


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST, forceinline=True)
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


@njit(cache=True, nogil=True, _nrt=False, fastmath=FAST)
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
