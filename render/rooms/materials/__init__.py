"""Procedural textures: noise, colours and patterns, put together by `rooms.surfaces`.

A pattern gives a tone (float32, about -1 to 1, height x width) and masks; `colors.tinted` turns tones into sRGB bytes
whose mean reflectance is a given colour. All of them repeat without a seam.
"""
