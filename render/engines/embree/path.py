"""The path tracer: blocks of paths, bounce by bounce, sixteen rays to a packet.

A block's state lies in rows of one array, so that dead paths are dropped and packets stay full.
"""

import math
import typing
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt32

from scenelift.render.engines.embree.bsdf import (
    DELTA_ALPHA,
    evaluate,
    ggx_sample,
    gloss_strength,
    pane_reflectance,
    schlick,
)
from scenelift.render.engines.embree.emit import (
    choice_density,
    frame_of,
    portal_density,
    sample_light,
    sky_radiance,
    weigh_cell,
)
from scenelift.render.engines.embree.guide import ball_density, sample_ball, weigh_balls
from scenelift.render.engines.embree.kernels import inlined, kernel
from scenelift.render.engines.embree.packets import (
    DX,
    DY,
    DZ,
    FLAGS,
    GEOM,
    HIT_U,
    HIT_V,
    MASK,
    NO_HIT,
    OPAQUE,
    OX,
    OY,
    OZ,
    PRIM,
    TFAR,
    TIME,
    TNEAR,
    TRANSPARENT,
    Packet,
    face_of,
    intersect16,
    intersect_packet,
    new_packet,
    occluded16,
)
from scenelift.render.engines.embree.sampling import pair
from scenelift.render.engines.embree.surface import is_hole, reflectance

BLOCK = 1024
GUIDED_BOUNCES = 2
"""Corners at which some rays are sent to bright patches."""
MAX_STRAIGHT = 12
"""Passes through glass and mirrors that do not count as bounces."""
POS, DIR, THR, DENSITY, TOTAL, NORMAL, HIT, CORNER = 0, 3, 6, 9, 10, 11, 14, 17
"""Columns of a path: where it stands or came from, unit direction, throughput, density of that direction (0 = only
this technique finds what it hits), total light weight and normal at its last corner, (u, v, t) of its hit, its last corner:
a path that has passed panes since then may also be found by a shadow ray from there."""
COLUMNS = 20


class Memory(NamedTuple):
    """Room for one block of paths."""

    packet: Packet
    paths: Float32[np.ndarray, "n 20"]
    faces: Int64[np.ndarray, " n"]
    """The face that each path hits, -1 = sky."""
    indices: UInt32[np.ndarray, " n"]
    """Bit-reversed number of each path's sample."""
    alive: Int64[np.ndarray, " n"]
    corners: Int32[np.ndarray, " n"]
    """How often each path has scattered."""
    shadows: Float32[np.ndarray, "n 10"]
    owners: Int64[np.ndarray, " n"]
    """The path of each shadow ray."""
    cumulated: Float64[np.ndarray, " k"]
    """Running sum of the lights' weights."""
    out: Float32[np.ndarray, "n 3"]
    """Radiance gathered."""
    guides: Float32[np.ndarray, "n 6"]
    """Reflectance and world normal where each path first scatters (sky: 1 and 0)."""
    pixels: Int32[np.ndarray, "n 2"]
    """Column and row of the pixel that each path belongs to."""


def new_memory(*, num_lights: int) -> Memory:
    """Make room for a block of `BLOCK` paths."""
    return Memory(
        packet=new_packet(),
        paths=np.zeros((BLOCK, COLUMNS), dtype=np.float32),
        faces=np.zeros(BLOCK, dtype=np.int64),
        indices=np.zeros(BLOCK, dtype=np.uint32),
        alive=np.zeros(BLOCK, dtype=np.int64),
        corners=np.zeros(BLOCK, dtype=np.int32),
        shadows=np.zeros((BLOCK, 10), dtype=np.float32),
        owners=np.zeros(BLOCK, dtype=np.int64),
        cumulated=np.zeros(max(num_lights, 1), dtype=np.float64),
        out=np.zeros((BLOCK, 3), dtype=np.float32),
        guides=np.zeros((BLOCK, 6), dtype=np.float32),
        pixels=np.zeros((BLOCK, 2), dtype=np.int32),
    )


@inlined
@typing.no_type_check
def offset_of(px, py, pz):
    """How far to step off a surface at p so that float32 does not hit it again, in metres."""
    return 3e-5 + 1e-5 * max(abs(px), abs(py), abs(pz))


@inlined
@typing.no_type_check
def shading_normal(tables, face, u, v, nx, ny, nz, dx, dy, dz):
    """The interpolated normal on the side of (nx, ny, nz), or that normal where it would see its own back."""
    if tables.normals.shape[0] == 0:
        return nx, ny, nz
    row = tables.normals[face]
    w = 1.0 - u - v
    x = w * row[0] + u * row[3] + v * row[6]
    y = w * row[1] + u * row[4] + v * row[7]
    z = w * row[2] + u * row[5] + v * row[8]
    square = x * x + y * y + z * z
    if not square > 1e-6:
        return nx, ny, nz
    inverse = 1.0 / math.sqrt(square)
    if x * nx + y * ny + z * nz < 0.0:
        inverse = -inverse
    x, y, z = x * inverse, y * inverse, z * inverse
    if x * dx + y * dy + z * dz > -0.02:
        return nx, ny, nz
    return x, y, z


@inlined
@typing.no_type_check
def aim(packet, bits, lane, ray, start, mask):
    """Put a shadow ray (origin, direction, length) into a lane."""
    packet[OX, lane], packet[OY, lane], packet[OZ, lane] = ray[0], ray[1], ray[2]
    packet[DX, lane], packet[DY, lane], packet[DZ, lane] = ray[3], ray[4], ray[5]
    packet[TNEAR, lane] = start
    packet[TFAR, lane] = ray[6]
    packet[TIME, lane] = 0.0
    bits[MASK, lane] = mask
    bits[FLAGS, lane] = np.uint32(0)
    bits[GEOM, lane] = NO_HIT


@kernel
@typing.no_type_check
def transmittance(bvh, arguments, tables, packet, bits, lanes, ray):
    """What glass and cut-outs leave of a shadow ray that no opaque surface stops; walks its hits one by one."""
    red, green, blue = 1.0, 1.0, 1.0
    start = 0.0
    for i in range(16):
        lanes[i] = 0
    lanes[0] = -1
    for _ in range(MAX_STRAIGHT * 4):
        aim(packet, bits, 0, ray, start, TRANSPARENT)
        intersect16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
        if bits[GEOM, 0] == NO_HIT:
            return red, green, blue
        face = tables.num_opaque + np.int64(bits[PRIM, 0])
        u, v = packet[HIT_U, 0], packet[HIT_V, 0]
        start = packet[TFAR, 0] * 1.000001 + 1e-6
        if tables.has_cutouts and is_hole(tables, face, u, v):
            continue
        material = tables.face_material[face]
        share = np.float64(tables.materials[material, 6])
        if share <= 0.0:
            return 0.0, 0.0, 0.0
        n = tables.planes[face]
        cosine = abs(n[0] * ray[3] + n[1] * ray[4] + n[2] * ray[5])
        share *= 1.0 - pane_reflectance(cosine)
        r, g, b = reflectance(tables, face, u, v, 0)
        red, green, blue = red * share * r, green * share * g, blue * share * b
    return 0.0, 0.0, 0.0


@kernel
@typing.no_type_check
def cast_shadows(bvh, arguments, tables, packet, bits, lanes, state, shadows, owners, count, out):
    """Add each shadow ray's light to its path's sum if nothing stops the ray.

    A row: origin, direction, length, red, green, blue. Opaque surfaces are asked first, sixteen rays at a time, then
    the transparent ones; only rays that touch one of these walk through it one by one. `state` is room for 16 numbers.
    """
    mixed = tables.num_opaque < tables.faces.shape[0]
    for first in range(0, count, 16):
        many = min(16, count - first)
        for i in range(16):
            lanes[i] = -1 if i < many else 0
            state[i] = 1 if i < many else 0
            if i < many:
                aim(packet, bits, i, shadows[first + i], 0.0, OPAQUE)
        if tables.num_opaque > 0:
            occluded16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
            for i in range(many):
                if not packet[TFAR, i] >= 0.0:
                    state[i] = 0
        if mixed:
            for i in range(many):
                lanes[i] = -state[i]
                if state[i] != 0:
                    aim(packet, bits, i, shadows[first + i], 0.0, TRANSPARENT)
            occluded16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
            for i in range(many):
                if state[i] != 0 and not packet[TFAR, i] >= 0.0:
                    state[i] = 2
        for i in range(many):
            s = shadows[first + i]
            k = owners[first + i]
            if state[i] == 0:
                continue
            red, green, blue = 1.0, 1.0, 1.0
            if state[i] == 2:
                red, green, blue = transmittance(bvh, arguments, tables, packet, bits, lanes, s)
            out[k, 0] += s[7] * red
            out[k, 1] += s[8] * green
            out[k, 2] += s[9] * blue


@kernel
@typing.no_type_check
def intersect_paths(bvh, arguments, tables, packet, bits, lanes, paths, alive, count, faces):
    """Find the next hit of the first `count` paths of `alive`."""
    for first in range(0, count, 16):
        many = min(16, count - first)
        for i in range(16):
            lanes[i] = -1 if i < many else 0
            if i >= many:
                continue
            p = paths[alive[first + i]]
            packet[OX, i], packet[OY, i], packet[OZ, i] = p[0], p[1], p[2]
            packet[DX, i], packet[DY, i], packet[DZ, i] = p[3], p[4], p[5]
            packet[TNEAR, i] = 0.0
        intersect_packet(bvh, arguments, packet, bits, lanes, tables)
        for i in range(many):
            k = alive[first + i]
            faces[k] = face_of(bits, i, tables.num_opaque)
            paths[k, HIT] = packet[HIT_U, i]
            paths[k, HIT + 1] = packet[HIT_V, i]
            paths[k, HIT + 2] = packet[TFAR, i]


@inlined
@typing.no_type_check
def escaped_weight(lights, p):
    """Weight of sky light that a path found by its own direction, against the portals' chance to find it."""
    if p[DENSITY] <= 0.0 or lights.num_portals == 0:
        return 1.0
    other = portal_density(
        lights,
        p[TOTAL],
        p[CORNER],
        p[CORNER + 1],
        p[CORNER + 2],
        p[NORMAL],
        p[NORMAL + 1],
        p[NORMAL + 2],
        p[3],
        p[4],
        p[5],
    )
    return p[DENSITY] / (p[DENSITY] + other)


@inlined
@typing.no_type_check
def emitted_weight(tables, lights, p, face, t):
    """Weight of a lamp's light that a path found by its own direction, against light sampling's chance to find it."""
    if p[DENSITY] <= 0.0:
        return 1.0
    k = lights.face_emitter[face]
    share = choice_density(
        lights,
        p[TOTAL],
        k,
        p[CORNER],
        p[CORNER + 1],
        p[CORNER + 2],
        p[NORMAL],
        p[NORMAL + 1],
        p[NORMAL + 2],
    )
    t += (p[0] - p[CORNER]) * p[3] + (p[1] - p[CORNER + 1]) * p[4] + (p[2] - p[CORNER + 2]) * p[5]
    n = tables.planes[face]
    cosine = max(abs(n[0] * p[3] + n[1] * p[4] + n[2] * p[5]), 1e-9)
    other = share * t * t / (cosine * lights.size[k])
    return p[DENSITY] / (p[DENSITY] + other)


@inlined
@typing.no_type_check
def shade(tables, lights, p, face, cumulated, seed, index, turn, bounce, soften, last, shadow):
    """Scatter a path at its hit: fill a shadow ray, turn the path to its next direction.

    Random numbers go by the `turn`, which counts passes through panes and mirrors too, the rest by the `bounce`.
    `soften` is the least width of gloss, against fireflies, 0 in unbiased renderings; with `last` the path ends here,
    after its shadow ray. Returns whether the path goes on, whether it went straight (glass, mirror), and whether
    `shadow` was filled.
    """
    u, v, t = p[HIT], p[HIT + 1], p[HIT + 2]
    dx, dy, dz = np.float64(p[3]), np.float64(p[4]), np.float64(p[5])
    plane = tables.planes[face]
    nx, ny, nz = plane[0], plane[1], plane[2]
    slope = nx * dx + ny * dy + nz * dz
    if slope > 0.0:
        nx, ny, nz, slope = -nx, -ny, -nz, -slope
    x, y, z = p[0] + t * dx, p[1] + t * dy, p[2] + t * dz
    away = (
        nx * x
        + ny * y
        + nz * z
        - (plane[3] if nx * plane[0] + ny * plane[1] + nz * plane[2] > 0.0 else -plane[3])
    )
    x, y, z = x - away * nx, y - away * ny, z - away * nz
    step = offset_of(x, y, z)
    material = tables.materials[tables.face_material[face]]
    level = 0 if bounce == 0 else 3
    red, green, blue = reflectance(tables, face, u, v, level)
    metallic, roughness, through = (
        np.float64(material[4]),
        np.float64(material[5]),
        np.float64(material[6]),
    )
    lobe, roulette = pair(index, seed, turn, 0)
    if through > 0.0:
        if lobe < through:
            lobe = lobe / through
            mirrored = pane_reflectance(-slope)
            if lobe < mirrored:
                p[3], p[4], p[5] = dx - 2 * slope * nx, dy - 2 * slope * ny, dz - 2 * slope * nz
                p[0], p[1], p[2] = x + step * nx, y + step * ny, z + step * nz
                p[DENSITY] = 0.0
            else:
                p[0], p[1], p[2] = x - step * nx, y - step * ny, z - step * nz
                p[THR] *= red
                p[THR + 1] *= green
                p[THR + 2] *= blue
            return True, True, False
        lobe = (lobe - through) / (1.0 - through)
    sx, sy, sz = shading_normal(tables, face, u, v, nx, ny, nz, dx, dy, dz)
    x, y, z = x + step * nx, y + step * ny, z + step * nz
    strength = gloss_strength(metallic, roughness)
    alpha = max(roughness * roughness, soften)
    dr, dg, db = red * (1.0 - metallic), green * (1.0 - metallic), blue * (1.0 - metallic)
    fr = 0.04 + metallic * (red - 0.04)
    fg = 0.04 + metallic * (green - 0.04)
    fb = 0.04 + metallic * (blue - 0.04)
    oz = -(sx * dx + sy * dy + sz * dz)
    chance = 0.0
    if strength > 0.0:
        gloss = strength * schlick((fr + fg + fb) / 3.0, oz)
        matt = (dr + dg + db) / 3.0
        chance = gloss / max(gloss + matt, 1e-9)
        if chance < 1.0:
            chance = min(max(chance, 0.1), 0.9)
    sharp = strength > 0.0 and alpha < DELTA_ALPHA
    if sharp and lobe < chance:
        f = 1.0 / chance
        p[THR] *= f * strength * schlick(fr, oz)
        p[THR + 1] *= f * strength * schlick(fg, oz)
        p[THR + 2] *= f * strength * schlick(fb, oz)
        p[3], p[4], p[5] = dx + 2 * oz * sx, dy + 2 * oz * sy, dz + 2 * oz * sz
        p[0], p[1], p[2] = x, y, z
        p[DENSITY] = 0.0
        return p[3] * nx + p[4] * ny + p[5] * nz > 0.0, True, False
    f = 1.0
    if sharp:
        f = (1.0 - strength * schlick(0.04, oz)) / (1.0 - chance)
        strength, chance = 0.0, 0.0
    dr, dg, db = dr * f, dg * f, db * f
    e1, e2 = frame_of(sx, sy, sz)
    ox, oy = -(e1[0] * dx + e1[1] * dy + e1[2] * dz), -(e2[0] * dx + e2[1] * dy + e2[2] * dz)
    total, filled = 0.0, False
    guided, balls = 0.0, 0.0
    if bounce < GUIDED_BOUNCES and lights.ball_power.shape[0] > 0 and not last:
        balls = weigh_balls(lights, x, y, z, sx, sy, sz)
        if balls > 0.0:
            guided = lights.guided * (1.0 - chance)
    if lights.kind.shape[0] > 0:
        total = weigh_cell(lights, x, y, z, sx, sy, sz, cumulated)
    if total > 0.0 or (lights.kind.shape[0] > 0 and not lights.complete):
        choice, _ = pair(index, seed, turn, 1)
        a, b = pair(index, seed, turn, 2)
        lx, ly, lz, far, lr, lg, lb, density = sample_light(
            tables, lights, cumulated, total, x, y, z, sx, sy, sz, choice, a, b
        )
        iz = lx * sx + ly * sy + lz * sz
        if iz > 0.0 and lx * nx + ly * ny + lz * nz > 0.0:
            ix, iy = lx * e1[0] + ly * e1[1] + lz * e1[2], lx * e2[0] + ly * e2[1] + lz * e2[2]
            r, g, bl, own = evaluate(
                dr, dg, db, fr, fg, fb, strength, alpha, chance, ox, oy, oz, ix, iy, iz
            )
            if guided > 0.0:
                own += guided * (
                    ball_density(lights, balls, x, y, z, sx, sy, sz, lx, ly, lz) - iz / math.pi
                )
            w = density / (density + own) if density > 0.0 and not last else 1.0
            shadow[0], shadow[1], shadow[2] = x, y, z
            shadow[3], shadow[4], shadow[5] = lx, ly, lz
            shadow[6] = far * (1.0 - 1e-4) - step
            shadow[7] = p[THR] * r * lr * w
            shadow[8] = p[THR + 1] * g * lg * w
            shadow[9] = p[THR + 2] * bl * lb * w
            filled = shadow[7] + shadow[8] + shadow[9] > 0.0
    if last:
        return False, False, filled
    a, b = pair(index, seed, turn, 3)
    if lobe < chance:
        ix, iy, iz = ggx_sample(alpha, ox, oy, oz, a, b)
    elif lobe < chance + guided:
        lx, ly, lz = sample_ball(lights, balls, x, y, z, sx, sy, sz, (lobe - chance) / guided, a, b)
        ix, iy = lx * e1[0] + ly * e1[1] + lz * e1[2], lx * e2[0] + ly * e2[1] + lz * e2[2]
        iz = lx * sx + ly * sy + lz * sz
    else:
        radius, angle = math.sqrt(a), 2.0 * math.pi * b
        ix, iy, iz = radius * math.cos(angle), radius * math.sin(angle), math.sqrt(1.0 - a)
    if iz <= 0.0:
        return False, False, filled
    lx = ix * e1[0] + iy * e2[0] + iz * sx
    ly = ix * e1[1] + iy * e2[1] + iz * sy
    lz = ix * e1[2] + iy * e2[2] + iz * sz
    if lx * nx + ly * ny + lz * nz <= 0.0:
        return False, False, filled
    r, g, bl, own = evaluate(
        dr, dg, db, fr, fg, fb, strength, alpha, chance, ox, oy, oz, ix, iy, iz
    )
    if guided > 0.0:
        own += guided * (
            ball_density(lights, balls, x, y, z, sx, sy, sz, lx, ly, lz) - iz / math.pi
        )
    if not own > 0.0:
        return False, False, filled
    r, g, bl = r / own, g / own, bl / own
    p[THR] *= r
    p[THR + 1] *= g
    p[THR + 2] *= bl
    if bounce >= 1:
        keep = min(max(p[THR], p[THR + 1], p[THR + 2]), 0.95)
        if roulette >= keep:
            return False, False, filled
        p[THR] /= keep
        p[THR + 1] /= keep
        p[THR + 2] /= keep
    p[0], p[1], p[2] = x, y, z
    p[3], p[4], p[5] = lx, ly, lz
    p[CORNER], p[CORNER + 1], p[CORNER + 2] = x, y, z
    p[DENSITY], p[TOTAL] = own, total
    p[NORMAL], p[NORMAL + 1], p[NORMAL + 2] = sx, sy, sz
    return True, False, filled


@inlined
@typing.no_type_check
def note_guides(tables, p, face, guide):
    """Write the reflectance and the normal towards the viewer of a hit; a later hit of the same path overwrites."""
    red, green, blue = reflectance(tables, face, p[HIT], p[HIT + 1], 0)
    guide[0], guide[1], guide[2] = min(red, 1.0), min(green, 1.0), min(blue, 1.0)
    n = tables.planes[face]
    flip = -1.0 if n[0] * p[3] + n[1] * p[4] + n[2] * p[5] > 0.0 else 1.0
    guide[3], guide[4], guide[5] = flip * n[0], flip * n[1], flip * n[2]


@inlined
@typing.no_type_check
def pass_pane(tables, p, face):
    """Let a path that only looks for lamps go straight through a pane; whether it could."""
    m = tables.materials[tables.face_material[face]]
    if m[6] <= 0.0:
        return False
    n = tables.planes[face]
    slope = n[0] * p[3] + n[1] * p[4] + n[2] * p[5]
    share = m[6] * (1.0 - pane_reflectance(abs(slope)))
    r, g, b = reflectance(tables, face, p[HIT], p[HIT + 1], 0)
    p[THR] *= share * r
    p[THR + 1] *= share * g
    p[THR + 2] *= share * b
    t = p[HIT + 2]
    x, y, z = p[0] + t * p[3], p[1] + t * p[4], p[2] + t * p[5]
    step = offset_of(x, y, z) * (1.0 if slope > 0.0 else -1.0)
    p[0], p[1], p[2] = x + step * n[0], y + step * n[1], z + step * n[2]
    return True


@kernel
@typing.no_type_check
def trace_paths(bvh, arguments, tables, lights, memory, count, seed, bounces, soften, bare, tail):
    """Follow `count` paths whose first hit is known to their ends, adding what they gather to `out`.

    `memory` holds the block: `paths`, `faces` and `indices` of its first `count` paths are set, `out` and `guides` zero.
    Light is gathered at `bounces` corners; `soften` is the least width of gloss after the first. With `bare` what the
    first surface itself emits is left out. If `tail` is positive, a path ends with the shadow ray of its last corner,
    whose light counts `tail` times for the bounces left out.
    """
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    paths, faces, indices, out, guides = (
        memory.paths,
        memory.faces,
        memory.indices,
        memory.out,
        memory.guides,
    )
    alive, corners, shadows, owners = memory.alive, memory.corners, memory.shadows, memory.owners
    cumulated = memory.cumulated
    for k in range(count):
        alive[k] = k
        corners[k] = 0
    living = count
    for turn in range(bounces + MAX_STRAIGHT):
        if living == 0:
            break
        if turn > 0:
            intersect_paths(
                bvh, arguments, tables, packet, bits, lanes, paths, alive, living, faces
            )
        kept, waiting = 0, 0
        for n in range(living):
            k = alive[n]
            p = paths[k]
            face = faces[k]
            first = corners[k] == 0
            if face < 0:
                if bare and turn == 0:
                    continue
                if first:
                    guides[k, 0], guides[k, 1], guides[k, 2] = 1.0, 1.0, 1.0
                red, green, blue = sky_radiance(lights, p[4])
                w = escaped_weight(lights, p)
                out[k, 0] += p[THR] * red * w
                out[k, 1] += p[THR + 1] * green * w
                out[k, 2] += p[THR + 2] * blue * w
                continue
            glows = lights.face_emitter.shape[0] > 0 and lights.face_emitter[face] >= 0
            if glows and not (bare and turn == 0):
                w = emitted_weight(tables, lights, p, face, p[HIT + 2])
                material = tables.face_material[face]
                for c in range(3):
                    out[k, c] += p[THR + c] * tables.materials[material, 7 + c] * w
            if corners[k] >= bounces:
                if p[DENSITY] > 0.0 and pass_pane(tables, p, face):
                    alive[kept] = k
                    kept += 1
                continue
            if first:
                note_guides(tables, p, face, guides[k])
            final = tail > 0.0 and corners[k] == bounces - 1
            goes_on, straight, filled = shade(
                tables,
                lights,
                p,
                face,
                cumulated,
                seed,
                indices[k],
                turn,
                corners[k],
                soften if corners[k] > 0 else 0.0,
                final,
                shadows[waiting],
            )
            if filled:
                if final:
                    for c in range(7, 10):
                        shadows[waiting, c] *= tail
                owners[waiting] = k
                waiting += 1
            if not straight:
                corners[k] += 1
            if goes_on:
                alive[kept] = k
                kept += 1
        cast_shadows(
            bvh,
            arguments,
            tables,
            packet,
            bits,
            lanes,
            memory.packet.asked,
            shadows,
            owners,
            waiting,
            out,
        )
        living = kept
