"""The checker of the shape gate: beartype, with whole numbers allowed for floats as PEP 484 has it."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
