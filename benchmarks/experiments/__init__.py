"""Experiments that show what a design decision is for: each a command that measures, none of them part of a run."""
