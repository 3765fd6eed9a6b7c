"""Compiled scattering at a surface: Lambert plus GGX as glTF 2.0 mixes them.

Vectors are in a frame whose z is the shading normal, both directions away from the surface. A dielectric's gloss
(reflectance 0.04 at normal incidence) fades out between roughness 0.8 and 1, so that the default material is Lambert's.
GGX: Walter and others 2007; its visible normals: Heitz 2018; Fresnel: Schlick 1994.
"""

import math
import typing

from scenelift.render.engines.embree.kernels import inlined

DELTA_ALPHA = 0.0025
"""GGX widths below this are perfect mirrors."""


@inlined
@typing.no_type_check
def gloss_strength(metallic, roughness):
    """How much of the specular lobe a material has: all for metals and smooth things, none for matt dielectrics."""
    fade = min(max((1.0 - roughness) * 5.0, 0.0), 1.0)
    return metallic + (1.0 - metallic) * fade


@inlined
@typing.no_type_check
def schlick(f0, cosine):
    """Fresnel reflectance."""
    m = min(max(1.0 - cosine, 0.0), 1.0)
    m2 = m * m
    return f0 + (1.0 - f0) * m2 * m2 * m


@inlined
@typing.no_type_check
def pane_reflectance(cosine):
    """Share of light that a thin pane of glass (index 1.5) reflects, bounces inside it included."""
    r = schlick(0.04, cosine)
    return 2.0 * r / (1.0 + r)


@inlined
@typing.no_type_check
def _lambda(alpha2, z):
    z2 = z * z
    return 0.5 * (math.sqrt(1.0 + alpha2 * (1.0 - z2) / max(z2, 1e-12)) - 1.0)


@inlined
@typing.no_type_check
def ggx_terms(alpha, ox, oy, oz, ix, iy, iz):
    """Specular value times cosine without Fresnel, its sampling density, and the cosine at the half vector."""
    hx, hy, hz = ox + ix, oy + iy, oz + iz
    length = math.sqrt(hx * hx + hy * hy + hz * hz)
    if length < 1e-9:
        return 0.0, 0.0, 1.0
    hx, hy, hz = hx / length, hy / length, hz / length
    cosine = max(ox * hx + oy * hy + oz * hz, 0.0)
    alpha2 = alpha * alpha
    q = hz * hz * (alpha2 - 1.0) + 1.0
    d = alpha2 / (math.pi * q * q)
    lo, li = _lambda(alpha2, oz), _lambda(alpha2, iz)
    value = d / (4.0 * oz * (1.0 + lo + li))
    density = d / (4.0 * oz * (1.0 + lo))
    return value, density, cosine


@inlined
@typing.no_type_check
def ggx_sample(alpha, ox, oy, oz, a, b):
    """Reflect the view direction about a visible microfacet normal."""
    x, y, z = alpha * ox, alpha * oy, oz
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    flat = x * x + y * y
    if flat > 1e-14:
        inverse = 1.0 / math.sqrt(flat)
        tx, ty, tz = -y * inverse, x * inverse, 0.0
    else:
        tx, ty, tz = 1.0, 0.0, 0.0
    bx, by, bz = y * tz - z * ty, z * tx - x * tz, x * ty - y * tx
    r, angle = math.sqrt(a), 2.0 * math.pi * b
    p, q = r * math.cos(angle), r * math.sin(angle)
    s = 0.5 * (1.0 + z)
    q = (1.0 - s) * math.sqrt(max(1.0 - p * p, 0.0)) + s * q
    up = math.sqrt(max(1.0 - p * p - q * q, 0.0))
    mx = alpha * (p * tx + q * bx + up * x)
    my = alpha * (p * ty + q * by + up * y)
    mz = max(p * tz + q * bz + up * z, 1e-9)
    length = math.sqrt(mx * mx + my * my + mz * mz)
    mx, my, mz = mx / length, my / length, mz / length
    twice = 2.0 * (ox * mx + oy * my + oz * mz)
    return twice * mx - ox, twice * my - oy, twice * mz - oz


@inlined
@typing.no_type_check
def evaluate(dr, dg, db, sr, sg, sb, strength, alpha, chance, ox, oy, oz, ix, iy, iz):
    """BSDF times cosine per channel, and the density of `chance`-mixed sampling, for diffuse d and specular F0 s."""
    if iz <= 0.0 or oz <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    lambert = iz / math.pi
    if strength <= 0.0:
        return dr * lambert, dg * lambert, db * lambert, lambert
    value, density, cosine = ggx_terms(alpha, ox, oy, oz, ix, iy, iz)
    value *= strength
    kept = 1.0 - strength * schlick(0.04, cosine)
    lit = lambert * kept
    return (
        dr * lit + value * schlick(sr, cosine),
        dg * lit + value * schlick(sg, cosine),
        db * lit + value * schlick(sb, cosine),
        (1.0 - chance) * lambert + chance * density,
    )
