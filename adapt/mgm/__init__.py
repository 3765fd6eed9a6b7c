"""Networks of MGM, which learns dense tasks with the help of a generative model (Bao, Hebert and Wang, ICML 2022).

A multi-task network (a backbone and `Decoders`) answers a segmentation, a depth and a normal map. `Refinement` reads the scene's
class off these maps, so that pictures which are labelled with no more than that teach the backbone. A class-conditional `Gan`
makes such pictures; `Middle` lets it start from the backbone's view of a real one.

>>> import torch
>>> from scenelift.adapt.backbones import build_backbone
>>> from scenelift.adapt.mgm.decoders import build_decoders
>>> from scenelift.adapt.mgm.refinement import build_refinement
>>> generator = torch.Generator().manual_seed(0)
>>> backbone = build_backbone("mgm-resnet-small", generator=generator)
>>> channels = {"semantic": 40, "depth": 1, "normal": 3}
>>> decoders = build_decoders(backbone, channels, width=0.25, generator=generator)
>>> refinement = build_refinement(channels, num_classes=27, width=0.25, generator=generator)
>>> maps = decoders(backbone(torch.zeros(2, 3, 64, 64)))
>>> tuple(maps["semantic"].shape), tuple(refinement(maps).shape)
((2, 40, 64, 64), (2, 27))
"""
