"""SUNCG: houses as `house.json` with their tree, and walls as arch@1.0.2; read and written."""

from scenelift.render.formats.suncg.read import default_root, read_scene, recognises

__all__ = ["default_root", "read_scene", "recognises"]
