"""Scene files in, `Scene` out. One module a format; each offers `read_scene(path, ...)`. Told apart by content."""
