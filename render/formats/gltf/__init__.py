"""glTF 2.0 and GLB: read, and written with extras that bring a scene back whole."""

from scenelift.render.formats.gltf.read import read_scene

__all__ = ["read_scene"]
