"""Labelled indoor images from 3D scenes, cross-domain feature learning, and transfer benchmarks."""

__version__ = "0.1.0"
