"""Two phases of one run: generator and discriminator learn alone, then all networks together."""

from typing import Literal

from scenelift.adapt.method import Clock

Phase = Literal["gan", "joint"]


def phase_of(clock: Clock, *, gan_steps: int) -> tuple[Phase, Clock]:
    """Tell where a run stands: the phase, and the clock within it, so that no schedule of one phase runs in the other.

    >>> phase_of(Clock(step=99, steps=400), gan_steps=100)
    ('gan', Clock(step=99, steps=100))
    >>> phase_of(Clock(step=100, steps=400), gan_steps=100)
    ('joint', Clock(step=0, steps=300))
    """
    if clock.step < gan_steps:
        return "gan", Clock(step=clock.step, steps=gan_steps)
    return "joint", Clock(step=clock.step - gan_steps, steps=clock.steps - gan_steps)
