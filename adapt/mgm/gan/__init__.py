"""Class-conditional generative adversarial networks at 32, 64 and 128 pixels.

>>> import torch
>>> from scenelift.adapt.mgm.gan.build import GanSettings, build_gan
>>> settings = GanSettings(kind="sagan", z_dim=16, width=0.125)
>>> gan = build_gan(settings, num_classes=3, size_px=32, generator=torch.Generator().manual_seed(0))
>>> z, label = torch.zeros(2, 16), torch.tensor([0, 2])
>>> images = gan.generator(z, label)
>>> tuple(images.shape), tuple(gan.discriminator(images, label).shape)
((2, 3, 32, 32), (2,))
"""
