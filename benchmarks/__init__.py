"""Weights in, numbers out; `speed/` times rendering, reading and training."""
