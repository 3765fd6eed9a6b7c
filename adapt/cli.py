"""The command `adapt-train`: a thin skin over `job.train_run`."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.logging import RichHandler

from scenelift.adapt.config import TrainConfig, TrainContent, TrainExecution
from scenelift.adapt.job import INPUT_FAULTS, train_run
from scenelift.adapt.live import LiveTable
from scenelift.adapt.recipes import recipe, recipes

_SHORT = {"--self-supervision": "--method.self-supervision"}
"""Flags that may leave out where they belong."""

_DESCRIPTION = """Train a network on rendered pictures so that its features work on photos.

    adapt-train --synthetic synth.h5 --real PHOTOS --out runs/first
    adapt-train --synthetic synth.h5 --real PHOTOS --out runs/first --resume      (after a kill)
    adapt-train --recipe paper --synthetic a.h5 b.h5 --real places365 --out runs/paper --device cuda
    adapt-train --recipe jigsaw --real PHOTOS --out runs/jigsaw                   (a comparison system: photos alone)
    adapt-train --synthetic synth.h5 --real PHOTOS --self-supervision rotation --out runs/hybrid
    torchrun --nproc-per-node 8 -m scenelift.adapt.cli --recipe paper ...         (several GPUs)

--recipe picks a whole configuration, all other flags change single fields of it. The run folder OUT then holds report.html,
weights.safetensors, metrics.jsonl, config.json, pictures and checkpoints.

Recipes: {recipes}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 done, 1 input or disk at fault, 2 a flag at fault, 130 stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO if _is_chief() else logging.ERROR,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, show_time=False)],
        force=True,
    )
    try:
        config = _parse(words, base=recipe(_recipe_of(words)))
    except ValueError as error:
        print(f"adapt-train: {error}", file=sys.stderr)
        return 2
    try:
        report = _train(config, console=console)
    except INPUT_FAULTS as error:
        print(f"adapt-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"adapt-train: stopped; go on with --out {config.execution.out} --resume",
            file=sys.stderr,
        )
        return 130
    if _is_chief():
        print(f"The report is {report}, the weights {config.execution.out / 'weights.safetensors'}")
    return 0


def _parse(words: Sequence[str], *, base: TrainContent) -> TrainConfig:
    """Read the flags; what they leave out is the recipe's."""

    def configure(
        execution: Annotated[TrainExecution, tyro.conf.arg(name="")],
        content: Annotated[TrainContent, tyro.conf.arg(name="")] = base,
    ) -> TrainConfig:
        return TrainConfig(content=content, execution=execution)

    return tyro.cli(
        configure,
        args=[_whole(word) for word in words],
        prog="adapt-train",
        description=_DESCRIPTION.format(recipes=", ".join(name for name, _ in recipes())),
        # The recipe chooses the method; its flags then are those of --method.
        config=(tyro.conf.AvoidSubcommands,),
    )


def _whole(word: str) -> str:
    """Put the part that a flag left out before it.

    >>> _whole("--self-supervision=rotation")
    '--method.self-supervision=rotation'
    """
    flag, equals, value = word.partition("=")
    return _SHORT.get(flag, flag) + equals + value


def _is_chief() -> bool:
    """Tell whether this is the process of several, as `torchrun` starts them, that speaks to the user."""
    return os.environ.get("RANK", "0") == "0"


def _train(config: TrainConfig, *, console: Console) -> Path:
    if not _is_chief():
        return train_run(config, observer=lambda _values, _step: None)
    with LiveTable(steps=config.content.steps, console=console) as table:

        def show(values: Mapping[str, float], step: int) -> None:
            table.update(values, step=step)

        return train_run(config, observer=show)


def _recipe_of(words: Sequence[str]) -> str:
    """Find the recipe before the other flags are read, since it gives their defaults."""
    for number, word in enumerate(words):
        if word == "--recipe" and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("--recipe="):
            return word.partition("=")[2]
    return "desk"


if __name__ == "__main__":
    sys.exit(main())
