"""Experiments: commands that take long, print their plan first, and can be stopped and gone on with."""
