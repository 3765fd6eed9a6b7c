"""What a run of the benchmarks is asked for."""

from dataclasses import dataclass
from pathlib import Path

from scenelift.benchmarks.network import RANDOM
from scenelift.benchmarks.recipes import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchConfig:
    """Networks, data and seeds."""

    data: Path
    """A data set as published (folder or tar archive), or a folder that holds several."""
    weights: tuple[str, ...] = (RANDOM,)
    """Networks to judge: files or run folders of adapt-train, safetensors files, PyTorch checkpoints, or `random`."""
    out: Path = Path("transfer")
    """Where results go; finished ones are kept."""
    backbone: str | None = None
    """The network that weights belong to, where their file does not say it: alexnet, alexnet-small, vgg16, resnet18, resnet50,
    mgm-resnet, mgm-resnet-small, timm:NAME."""
    recipe: Recipe = "desk"
    """desk: minutes on two processor cores; paper: as published."""
    seeds: tuple[int, ...] = (0,)
    """One result each; random weights are drawn anew for each."""
    final: bool = False
    """Judge the locked test split. Without it, pictures held out for selection are judged."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU if there is one."""
    label: tuple[str, ...] = ()
    """Names of the networks in tables, one each; by default those of their run folders or files."""
    anchor: bool = True
    """In `all`: judge random weights of the same backbone too, and first."""
    resume: bool = True
    """Keep finished results that answer the same question; --no-resume stops if there is any."""
    overwrite: bool = False
    """Measure again what is finished."""
    plan_only: bool = False
    """Say what would be done and how long it would take, and stop."""

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("weights name no network")
        if not self.seeds:
            raise ValueError("seeds name no seed")
        for name, values in (("seeds", self.seeds), ("weights", self.weights)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} name one twice: {', '.join(map(str, values))}")
        if any(not 0 <= seed < 2**31 for seed in self.seeds):
            raise ValueError(f"seeds must lie between 0 and 2^31 - 1, got {self.seeds}")
        if self.label and len(self.label) != len(self.weights):
            raise ValueError(f"{len(self.label)} labels for {len(self.weights)} weights")
