"""Scenes in, labelled frames out.

`formats` reads scene files and `rooms` makes furnished rooms; both give a `scene.Scene`. `views` samples cameras in it,
an engine of `engines` renders each into a `frame.Frame`, and `job` runs all that on many workers and writes one file.
Nothing here imports torch.
"""
