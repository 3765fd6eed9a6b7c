"""Light on a grid of half the resolution, for a denoiser at a quarter of the cost, and back along surfaces."""

import math
import typing

from scenelift.render.engines.embree.kernels import inlined, kernel
from scenelift.render.engines.embree.path import HIT


@inlined
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


@kernel
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


@kernel
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
