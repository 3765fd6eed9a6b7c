"""Samples in, weights out: training on rendered labels, adapted to real photos."""
