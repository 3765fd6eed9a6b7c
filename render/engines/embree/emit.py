"""Compiled choice of a point on an emitter, and how likely that choice was."""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.kernels import inlined, kernel
from scenelift.render.engines.embree.lights import LINE, MESH, POINT, PORTAL, SUN


@inlined
@typing.no_type_check
def sky_radiance(lights, dy):
    """Radiance from outside along a unit direction of height dy."""
    if dy < 0:
        return lights.sky[2, 0], lights.sky[2, 1], lights.sky[2, 2]
    s = lights.sky
    return (
        s[1, 0] + dy * (s[0, 0] - s[1, 0]),
        s[1, 1] + dy * (s[0, 1] - s[1, 1]),
        s[1, 2] + dy * (s[0, 2] - s[1, 2]),
    )


@inlined
@typing.no_type_check
def search(cdf, target):
    """The first entry of a running share above `target`, and how far into it the target lies, in [0, 1) (-1 = no width)."""
    low, high = 0, cdf.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if cdf[middle] <= target:
            low = middle + 1
        else:
            high = middle
    before = cdf[low - 1] if low > 0 else 0.0
    width = cdf[low] - before
    if not width > 0.0:
        return low, -1.0
    return low, min(max((target - before) / width, 0.0), 0.999999)


@inlined
@typing.no_type_check
def weight(lights, k, px, py, pz, nx, ny, nz):
    """How much emitter k may light a surface at p with normal n; zero only where it cannot.

    The normal may be 0 0 0, for a point in the air.
    """
    kind = lights.kind[k]
    if kind == SUN:
        a = lights.axis[k]
        return lights.power[k] * max(-(a[0] * nx + a[1] * ny + a[2] * nz), 0.0)
    c = lights.centre[k]
    x, y, z = c[0] - px, c[1] - py, c[2] - pz
    reach = lights.reach[k]
    height = max(x * nx + y * ny + z * nz + reach, 0.0)
    square = max(x * x + y * y + z * z, 1e-12)
    away = math.sqrt(square)
    return lights.power[k] * min(height, away) / (away * max(square, reach * reach))


@inlined
@typing.no_type_check
def cell_of(lights, px, py, pz):
    """The cell of the grid that holds a point; points outside count to the nearest."""
    n = lights.grid_shape
    i = int((np.float32(px) - lights.grid_low[0]) * lights.grid_scale[0])
    j = int((np.float32(py) - lights.grid_low[1]) * lights.grid_scale[1])
    k = int((np.float32(pz) - lights.grid_low[2]) * lights.grid_scale[2])
    i, j, k = min(max(i, 0), n[0] - 1), min(max(j, 0), n[1] - 1), min(max(k, 0), n[2] - 1)
    return (i * n[1] + j) * n[2] + k


@inlined
@typing.no_type_check
def blind_share(lights, total):
    """Share of samples that choose among all emitters by power, whatever the cell says."""
    if lights.complete:
        return 0.0
    return 0.1 if total > 0.0 else 1.0


@inlined
@typing.no_type_check
def weigh_cell(lights, px, py, pz, nx, ny, nz, cumulated):
    """Write the running sum of the weights of a cell's emitters; return the total."""
    cell = cell_of(lights, px, py, pz)
    total = 0.0
    for slot in range(lights.cell_lights.shape[1]):
        k = lights.cell_lights[cell, slot]
        if k >= 0:
            total += lights.cell_seen[cell, slot] * weight(lights, k, px, py, pz, nx, ny, nz)
        cumulated[slot] = total
    return total


@inlined
@typing.no_type_check
def choice_density(lights, total, k, px, py, pz, nx, ny, nz):
    """Probability of choosing emitter k at p."""
    blind = blind_share(lights, total)
    chance = 0.0
    if blind > 0.0:
        chance = blind * (lights.power_cdf[k] - (lights.power_cdf[k - 1] if k > 0 else 0.0))
    if total <= 0.0:
        return chance
    cell = cell_of(lights, px, py, pz)
    for slot in range(lights.cell_lights.shape[1]):
        if lights.cell_lights[cell, slot] == k:
            w = lights.cell_seen[cell, slot] * weight(lights, k, px, py, pz, nx, ny, nz)
            chance += (1.0 - blind) * w / total
    return chance


@inlined
@typing.no_type_check
def through_portal(lights, k, px, py, pz, dx, dy, dz):
    """Density per solid angle of sampling portal k evenly, along the unit direction d from p; 0 where d misses it."""
    e, f, c = lights.axis[k], lights.side[k], lights.centre[k]
    mx = e[1] * f[2] - e[2] * f[1]
    my = e[2] * f[0] - e[0] * f[2]
    mz = e[0] * f[1] - e[1] * f[0]
    slope = mx * dx + my * dy + mz * dz
    if slope == 0.0:
        return 0.0
    x, y, z = c[0] - px, c[1] - py, c[2] - pz
    t = (mx * x + my * y + mz * z) / slope
    if t <= 0.0:
        return 0.0
    x, y, z = t * dx - x, t * dy - y, t * dz - z
    ee, ff = e[0] * e[0] + e[1] * e[1] + e[2] * e[2], f[0] * f[0] + f[1] * f[1] + f[2] * f[2]
    ef = e[0] * f[0] + e[1] * f[1] + e[2] * f[2]
    xe, xf = x * e[0] + y * e[1] + z * e[2], x * f[0] + y * f[1] + z * f[2]
    det = ee * ff - ef * ef
    a, b = (xe * ff - xf * ef) / det, (xf * ee - xe * ef) / det
    if abs(a) > 0.5 or abs(b) > 0.5:
        return 0.0
    # |slope| = area * |cosine|, so t^2 / (area cosine) is t^2 / |slope|
    return t * t / abs(slope)


@inlined
@typing.no_type_check
def portal_density(lights, total, px, py, pz, nx, ny, nz, dx, dy, dz):
    """Density per solid angle with which all portals together are sampled along the unit direction d from p."""
    density = 0.0
    count = lights.kind.shape[0]
    for k in range(count - lights.num_portals, count):
        even = through_portal(lights, k, px, py, pz, dx, dy, dz)
        if even > 0.0:
            density += even * choice_density(lights, total, k, px, py, pz, nx, ny, nz)
    return density


@inlined
@typing.no_type_check
def sphere_point(a, b):
    """A point on the unit sphere from two numbers in [0, 1)."""
    z = 1.0 - 2.0 * a
    r = math.sqrt(max(1.0 - z * z, 0.0))
    angle = 2.0 * math.pi * b
    return r * math.cos(angle), r * math.sin(angle), z


@inlined
@typing.no_type_check
def frame_of(nx, ny, nz):
    """Two unit vectors that complete a unit normal (Duff and others 2017)."""
    sign = 1.0 if nz >= 0.0 else -1.0
    a = -1.0 / (sign + nz)
    b = nx * ny * a
    return (
        (1.0 + sign * nx * nx * a, sign * b, -sign * nx),
        (b, sign + ny * ny * a, -ny),
    )


@inlined
@typing.no_type_check
def _on_mesh(tables, lights, k, px, py, pz, choice, a, b):
    low, high = lights.first[k], lights.last[k] - 1
    while low < high:
        middle = (low + high) // 2
        if lights.triangle_cdf[middle] <= choice:
            low = middle + 1
        else:
            high = middle
    face = lights.triangle_face[low]
    root = math.sqrt(a)
    u, v = root * (1.0 - b), root * b
    i, j, m = tables.faces[face, 0], tables.faces[face, 1], tables.faces[face, 2]
    q = tables.vertices
    w = 1.0 - u - v
    x = w * q[i, 0] + u * q[j, 0] + v * q[m, 0] - px
    y = w * q[i, 1] + u * q[j, 1] + v * q[m, 1] - py
    z = w * q[i, 2] + u * q[j, 2] + v * q[m, 2] - pz
    square = max(x * x + y * y + z * z, 1e-12)
    t = math.sqrt(square)
    n = tables.planes[face]
    cosine = abs(n[0] * x + n[1] * y + n[2] * z) / t
    density = square / (max(cosine, 1e-9) * lights.size[k])
    return x / t, y / t, z / t, t, density


@kernel
@typing.no_type_check
def sample_emitter(tables, lights, k, px, py, pz, again, a, b):
    """Choose a direction from p to emitter k.

    Returns:
        The unit direction, the distance (inf for sky and sun), radiance over density per channel, and the density
        per solid angle, 0 where no other technique can find the emitter.
    """
    kind = lights.kind[k]
    color = lights.color[k]
    red, green, blue = color[0], color[1], color[2]
    if kind == MESH:
        dx, dy, dz, t, density = _on_mesh(tables, lights, k, px, py, pz, again, a, b)
        return dx, dy, dz, t, red / density, green / density, blue / density, density
    if kind == PORTAL:
        c, e, f = lights.centre[k], lights.axis[k], lights.side[k]
        x = c[0] + (a - 0.5) * e[0] + (b - 0.5) * f[0] - px
        y = c[1] + (a - 0.5) * e[1] + (b - 0.5) * f[1] - py
        z = c[2] + (a - 0.5) * e[2] + (b - 0.5) * f[2] - pz
        t = max(math.sqrt(x * x + y * y + z * z), 1e-9)
        dx, dy, dz = x / t, y / t, z / t
        density = through_portal(lights, k, px, py, pz, dx, dy, dz)
        if not density > 0.0:
            return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        red, green, blue = sky_radiance(lights, dy)
        return dx, dy, dz, np.inf, red / density, green / density, blue / density, density
    size = lights.size[k]
    axis = lights.axis[k]
    if kind == SUN:
        first, second = frame_of(axis[0], axis[1], axis[2])
        r, angle = math.tan(size) * math.sqrt(a), 2.0 * math.pi * b
        s, c = r * math.sin(angle), r * math.cos(angle)
        x = c * first[0] + s * second[0] - axis[0]
        y = c * first[1] + s * second[1] - axis[1]
        z = c * first[2] + s * second[2] - axis[2]
        t = math.sqrt(x * x + y * y + z * z)
        return x / t, y / t, z / t, np.inf, red, green, blue, 0.0
    c = lights.centre[k]
    sx, sy, sz = sphere_point(a, b)
    x, y, z = c[0] + size * sx - px, c[1] + size * sy - py, c[2] + size * sz - pz
    gain = 1.0
    if kind == LINE:
        x, y, z = x + again * axis[0], y + again * axis[1], z + again * axis[2]
        gain = math.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    square = max(x * x + y * y + z * z, 1e-8)
    t = math.sqrt(square)
    x, y, z = x / t, y / t, z / t
    if kind == POINT and lights.cone[k] > -1.0:
        edge = lights.cone[k]
        cosine = -(x * axis[0] + y * axis[1] + z * axis[2])
        s = min(max((cosine - edge) / max(0.1 * (1.0 - edge), 1e-6), 0.0), 1.0)
        gain *= s * s * (3.0 - 2.0 * s)
    gain /= square
    return x, y, z, t, red * gain, green * gain, blue * gain, 0.0


@inlined
@typing.no_type_check
def sample_light(tables, lights, cumulated, total, px, py, pz, nx, ny, nz, choice, a, b):
    """Choose an emitter by its weight and a direction to it; returns what `sample_emitter` does."""
    blind = blind_share(lights, total)
    if choice < blind:
        k, again = search(lights.power_cdf, choice / blind)
    else:
        target = (choice - blind) / (1.0 - blind) * total
        slot = 0
        while slot + 1 < lights.cell_lights.shape[1] and cumulated[slot] <= target:
            slot += 1
        k = lights.cell_lights[cell_of(lights, px, py, pz), slot]
        before = cumulated[slot - 1] if slot > 0 else 0.0
        width = cumulated[slot] - before
        again = min(max((target - before) / width, 0.0), 0.999999) if width > 0.0 else -1.0
    if k < 0 or again < 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    dx, dy, dz, t, red, green, blue, density = sample_emitter(
        tables, lights, k, px, py, pz, again, a, b
    )
    if lights.kind[k] == PORTAL:
        both = portal_density(lights, total, px, py, pz, nx, ny, nz, dx, dy, dz)
        if not both > 0.0:
            return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        gain = density / both
        return dx, dy, dz, t, red * gain, green * gain, blue * gain, both
    share = choice_density(lights, total, k, px, py, pz, nx, ny, nz)
    gain = 1.0 / share
    return dx, dy, dz, t, red * gain, green * gain, blue * gain, density * share


@inlined
@typing.no_type_check
def choose_for_cell(lights, cell, choice):
    """Choose an emitter for all points of a cell.

    Returns:
        The emitter (-1 = none) and what is left of `choice` as a new number in [0, 1).
    """
    blind = 0.0 if lights.complete else 0.1
    if choice < blind:
        return search(lights.power_cdf, choice / blind)
    slot, again = search(lights.cell_cdf[cell], (choice - blind) / (1.0 - blind))
    return lights.cell_lights[cell, slot], again


@inlined
@typing.no_type_check
def cell_chance(lights, cell, k):
    """Probability that `choose_for_cell` takes emitter k."""
    blind = 0.0 if lights.complete else 0.1
    chance = 0.0
    if blind > 0.0:
        chance = blind * (lights.power_cdf[k] - (lights.power_cdf[k - 1] if k > 0 else 0.0))
    cdf = lights.cell_cdf[cell]
    for slot in range(cdf.shape[0]):
        if lights.cell_lights[cell, slot] == k:
            chance += (1.0 - blind) * (cdf[slot] - (cdf[slot - 1] if slot > 0 else 0.0))
    return chance


@inlined
@typing.no_type_check
def cell_portal_density(lights, cell, px, py, pz, dx, dy, dz):
    """Density per solid angle with which the portals that a cell chooses are sampled along the unit direction d from p."""
    density = 0.0
    count = lights.kind.shape[0]
    for k in range(count - lights.num_portals, count):
        even = through_portal(lights, k, px, py, pz, dx, dy, dz)
        if even > 0.0:
            density += even * cell_chance(lights, cell, k)
    return density
