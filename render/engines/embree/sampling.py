"""Random numbers that are a function of (seed, pixel, sample, dimension) alone.

The first bounces draw from an Owen-scrambled Sobol sequence walked along a Z-order curve over the pixels (Ahmed and
Wonka 2020, "Screen-space blue-noise diffusion of Monte Carlo sampling error"): neighbouring pixels then hold
different parts of one well-spread set, so that what a denoiser averages is better than independent samples. The
scramble is Laine and Karras's hash with Vegdahl's constants. Everything is 32 bit: numba widens a product of two
uint32 to 64 bit, so each step is cast back.
"""

import typing

import numpy as np

from scenelift.render.engines.embree.kernels import inlined_exact

_U = np.uint32
_INVERSE = 1.0 / 4294967296.0


@inlined_exact
@typing.no_type_check
def hash32(x):
    """Mix the bits of a word (Wellons' lowbias32)."""
    x = _U(x)
    x = _U(_U(x ^ (x >> _U(16))) * _U(0x7FEB352D))
    x = _U(_U(x ^ (x >> _U(15))) * _U(0x846CA68B))
    return _U(x ^ (x >> _U(16)))


@inlined_exact
@typing.no_type_check
def reverse_bits(x):
    """Reverse the 32 bits of a word."""
    x = _U(_U(x >> _U(16)) | _U(x << _U(16)))
    x = _U(_U(_U(x & _U(0x00FF00FF)) << _U(8)) | _U(_U(x & _U(0xFF00FF00)) >> _U(8)))
    x = _U(_U(_U(x & _U(0x0F0F0F0F)) << _U(4)) | _U(_U(x & _U(0xF0F0F0F0)) >> _U(4)))
    x = _U(_U(_U(x & _U(0x33333333)) << _U(2)) | _U(_U(x & _U(0xCCCCCCCC)) >> _U(2)))
    return _U(_U(_U(x & _U(0x55555555)) << _U(1)) | _U(_U(x & _U(0xAAAAAAAA)) >> _U(1)))


@inlined_exact
@typing.no_type_check
def _scramble(x, seed):
    """Owen-scramble a word whose bits are reversed."""
    x = _U(x ^ _U(x * _U(0x3D20ADEA)))
    x = _U(x + seed)
    x = _U(x * _U(_U(seed >> _U(16)) | _U(1)))
    x = _U(x ^ _U(x * _U(0x05526C56)))
    return _U(x ^ _U(x * _U(0x53A22864)))


@inlined_exact
@typing.no_type_check
def morton(x, y):
    """Interleave the low 16 bits of two words."""
    a, b = _U(x), _U(y)
    a = _U(_U(a | _U(a << _U(8))) & _U(0x00FF00FF))
    a = _U(_U(a | _U(a << _U(4))) & _U(0x0F0F0F0F))
    a = _U(_U(a | _U(a << _U(2))) & _U(0x33333333))
    a = _U(_U(a | _U(a << _U(1))) & _U(0x55555555))
    b = _U(_U(b | _U(b << _U(8))) & _U(0x00FF00FF))
    b = _U(_U(b | _U(b << _U(4))) & _U(0x0F0F0F0F))
    b = _U(_U(b | _U(b << _U(2))) & _U(0x33333333))
    b = _U(_U(b | _U(b << _U(1))) & _U(0x55555555))
    return _U(a | _U(b << _U(1)))


@inlined_exact
@typing.no_type_check
def sobol_pair(reversed_index, seed):
    """Two numbers in [0, 1): the shuffled, scrambled point `index` of the two-dimensional Sobol sequence."""
    i = reverse_bits(_scramble(_U(reversed_index), seed))
    j = i
    j = _U(j ^ _U(_U(j >> _U(1)) & _U(0x55555555)))
    j = _U(j ^ _U(_U(j >> _U(2)) & _U(0x33333333)))
    j = _U(j ^ _U(_U(j >> _U(4)) & _U(0x0F0F0F0F)))
    j = _U(j ^ _U(_U(j >> _U(8)) & _U(0x00FF00FF)))
    j = _U(j ^ _U(_U(j >> _U(16)) & _U(0x0000FFFF)))
    first = reverse_bits(_scramble(i, hash32(_U(seed + _U(0x9E3779B9)))))
    second = reverse_bits(_scramble(j, hash32(_U(seed ^ _U(0x85EBCA6B)))))
    return first * _INVERSE, second * _INVERSE


@inlined_exact
@typing.no_type_check
def hash_pair(index, seed):
    """Two independent numbers in [0, 1)."""
    a = hash32(_U(_U(index) ^ seed))
    b = hash32(_U(a + _U(0x9E3779B9)))
    return a * _INVERSE, b * _INVERSE


@inlined_exact
@typing.no_type_check
def pair(reversed_index, seed, bounce, use):
    """Two numbers for one `use` at one bounce of the path `index`; the first two bounces are stratified."""
    key = hash32(_U(seed + _U(_U(8 * bounce + use) * _U(0x9E3779B1))))
    if bounce < 2:
        return sobol_pair(reversed_index, key)
    return hash_pair(reversed_index, key)
