"""Compiled look-ups on a triangle: texture coordinates, texels, reflectance, holes."""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.kernels import inlined


@inlined
@typing.no_type_check
def uv_at(tables, face, u, v):
    """Texture coordinates at barycentric (u, v)."""
    if tables.uvs.shape[0] == 0:
        return 0.0, 0.0
    w = 1.0 - u - v
    row = tables.uvs[face]
    return w * row[0] + u * row[2] + v * row[4], w * row[1] + u * row[3] + v * row[5]


@inlined
@typing.no_type_check
def texel(tables, texture, level, s, t):
    """Bilinear linear RGB and alpha of a repeating texture; (0, 0) is its lower left corner."""
    start = tables.textures[texture, 0]
    w, h = tables.textures[texture, 1], tables.textures[texture, 2]
    for _ in range(level):
        start += 4 * w * h
        w, h = max(w // 2, 1), max(h // 2, 1)
    x = (s - math.floor(s)) * w - 0.5
    y = (1.0 - (t - math.floor(t))) * h - 0.5
    x0, y0 = math.floor(x), math.floor(y)
    fx, fy = x - x0, y - y0
    x1 = x0 + 1 if x0 + 1 < w else 0
    y1 = y0 + 1 if y0 + 1 < h else 0
    x0 = min(x0, w - 1) if x0 >= 0 else w - 1
    y0 = min(y0, h - 1) if y0 >= 0 else h - 1
    a, b = start + 4 * (y0 * w + x0), start + 4 * (y0 * w + x1)
    c, d = start + 4 * (y1 * w + x0), start + 4 * (y1 * w + x1)
    wa, wb, wc, wd = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    px, lut = tables.texels, tables.linear_of_srgb
    red = wa * lut[px[a]] + wb * lut[px[b]] + wc * lut[px[c]] + wd * lut[px[d]]
    green = wa * lut[px[a + 1]] + wb * lut[px[b + 1]] + wc * lut[px[c + 1]] + wd * lut[px[d + 1]]
    blue = wa * lut[px[a + 2]] + wb * lut[px[b + 2]] + wc * lut[px[c + 2]] + wd * lut[px[d + 2]]
    alpha = (wa * px[a + 3] + wb * px[b + 3] + wc * px[c + 3] + wd * px[d + 3]) / 255.0
    return red, green, blue, alpha


@inlined
@typing.no_type_check
def reflectance(tables, face, u, v, level):
    """Linear base colour at a hit: material times texture times vertex colours."""
    material = tables.face_material[face]
    red = np.float64(tables.materials[material, 0])
    green = np.float64(tables.materials[material, 1])
    blue = np.float64(tables.materials[material, 2])
    texture = tables.material_texture[material]
    if texture >= 0:
        s, t = uv_at(tables, face, u, v)
        tr, tg, tb, _ = texel(tables, texture, level, s, t)
        red, green, blue = red * tr, green * tg, blue * tb
    if tables.colors.shape[0] > 0:
        w = 1.0 - u - v
        row = tables.colors[face]
        red *= w * row[0] + u * row[3] + v * row[6]
        green *= w * row[1] + u * row[4] + v * row[7]
        blue *= w * row[2] + u * row[5] + v * row[8]
    return red, green, blue


@inlined
@typing.no_type_check
def is_hole(tables, face, u, v):
    """Whether opacity times the texture's alpha is below a half."""
    material = tables.face_material[face]
    texture = tables.material_texture[material]
    if texture < 0:
        return False
    s, t = uv_at(tables, face, u, v)
    _, _, _, alpha = texel(tables, texture, 0, s, t)
    return alpha * tables.materials[material, 3] < 0.5


@inlined
@typing.no_type_check
def level_for(tables, face, footprint):
    """The level of a texture's pyramid whose texels are about as large as a footprint in metres."""
    texture = tables.material_texture[tables.face_material[face]]
    if texture < 0 or tables.uv_density.shape[0] == 0:
        return 0
    side = math.sqrt(tables.textures[texture, 1] * tables.textures[texture, 2])
    texels = footprint * tables.uv_density[face] * side
    level = 0
    last = tables.textures[texture, 3] - 1
    while texels > 1.5 and level < last:
        texels *= 0.5
        level += 1
    return level
