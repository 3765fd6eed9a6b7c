"""Fourier domain adaptation: synthetic pictures take on the low frequencies of real ones (Yang and Soatto, CVPR 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.align.alignment import Alignment, Pictures


def swap_low_frequencies(
    content: Float[Tensor, "n c h w"], style: Float[Tensor, "n c h w"], *, share: float
) -> Float[Tensor, "n c h w"]:
    """Give pictures the amplitudes of others at low frequencies, and leave them their phases.

    Args:
        content: Pictures whose shapes stay.
        style: Pictures of the same size whose light and colour are taken.
        share: The square reaches floor(share x shorter side) frequencies from 0 to each side; at 0 only the means are swapped.

    Returns:
        Pictures; values may leave the range of the inputs.

    >>> content = torch.tensor([[[[0.25, 0.75], [0.25, 0.75]]]])
    >>> swap_low_frequencies(content, torch.full_like(content, 0.25), share=0.0)[0, 0].tolist()
    [[0.0, 0.5], [0.0, 0.5]]
    """
    height, width = content.shape[-2:]
    reach = int(share * min(height, width))
    spectrum, other = torch.fft.fft2(content), torch.fft.fft2(style)
    low = _within(height, reach=reach, like=content)[:, None] & _within(
        width, reach=reach, like=content
    )
    amplitude = torch.where(low, other.abs(), spectrum.abs())
    mixed: Tensor = torch.fft.ifft2(torch.polar(amplitude, spectrum.angle())).real
    return mixed


class Fourier(Alignment):
    """Swaps low frequencies in the pictures, before the backbone; there is no term and no game."""

    needs_real_pictures = True

    def restyle(self, synthetic: Pictures, real: Pictures) -> tuple[Pictures, Pictures]:
        """Give each synthetic picture the low frequencies of a real one, in turn; values stay in range and keep their type."""
        if synthetic.shape[-2:] != real.shape[-2:]:
            raise ValueError(
                f"synthetic pictures are {synthetic.shape[-1]} x {synthetic.shape[-2]}, "
                f"real ones {real.shape[-1]} x {real.shape[-2]}; crop both to one size"
            )
        style = real[torch.arange(len(synthetic), device=real.device) % len(real)]
        scale = 255.0 if synthetic.dtype == torch.uint8 else 1.0
        mixed = swap_low_frequencies(
            synthetic.float(), style.float(), share=self.config.fourier_share
        )
        mixed = mixed.clamp(0, scale)
        return (mixed.round() if scale > 1 else mixed).to(synthetic.dtype), real


def _within(num: int, *, reach: int, like: Tensor) -> Tensor:
    frequency: Tensor = torch.fft.fftfreq(num, d=1 / num, device=like.device)
    return frequency.abs().le(reach + 0.5)
