"""Which networks each loss may teach: the arrows of the method, each cut by a switch.

| loss                 | teaches                                                                                     |
|----------------------|---------------------------------------------------------------------------------------------|
| task                 | encoder, decoders                                                                           |
| scene                | encoder, refinement (the decoders between them pass the gradient on and do not learn)       |
| contrast             | encoder, contrast                                                                           |
| discriminator        | discriminator                                                                               |
| generator            | generator; with `condition` middle and encoder too                                          |
| task on further      | encoder, decoders; and what makes the pictures, below                                       |
| scene on further     | encoder (the refinement network rests); and what makes the pictures                         |
| contrast on further  | encoder, contrast; and what makes the pictures                                              |
| align                | encoder; with a reversal layer its critic too, which else has the loss `critic`             |

What makes the pictures: nothing with `detach_fake`; else the generator, if it learns in the joint steps, and the middle network.
The encoder that conditions them is taught anyway.
"""

from typing import Literal

from scenelift.adapt.mgm.groups import Group
from scenelift.adapt.mgm.settings import MgmSettings

Loss = Literal[
    "task",
    "scene",
    "contrast",
    "discriminator",
    "generator",
    "task_further",
    "scene_further",
    "contrast_further",
    "align",
    "critic",
]


def taught_by(loss: Loss, settings: MgmSettings) -> tuple[Group, ...]:
    """Return the networks that learn from a loss in a joint step.

    >>> taught_by("scene_further", MgmSettings())
    ('encoder',)
    >>> taught_by("scene_further", MgmSettings(detach_fake=False))
    ('encoder', 'generator', 'middle')
    """
    making: tuple[Group, ...] = ()
    if settings.further == "gan" and not settings.detach_fake:
        making = (
            *(("generator",) if settings.gan_joint else ()),
            *(("middle",) if settings.conditions else ()),
        )
    match loss:
        case "task":
            return ("encoder", "decoders")
        case "scene":
            return ("encoder", "refinement")
        case "contrast":
            return ("encoder", "contrast")
        case "discriminator":
            return ("discriminator",)
        case "generator":
            return ("generator", *(("middle", "encoder") if settings.conditions else ()))
        case "task_further":
            return ("encoder", "decoders", *making)
        case "scene_further":
            return ("encoder", *making)
        case "contrast_further":
            return ("encoder", "contrast", *making)
        case "align":
            reversal = settings.align.method == "reversal"
            return ("encoder", *(("critic",) if reversal else ()))
        case "critic":
            return ("critic",)
