"""How two renderers' curves are read against each other."""

from scenelift.benchmarks.speed.cycles import Curve, compare

OTHER = Curve(names=("1", "4"), cpu_s=(1.0, 4.0), psnr_db=(20.0, 30.0))


def _ratio(psnr_db: float) -> str:
    ours = Curve(names=("normal",), cpu_s=(0.1,), psnr_db=(psnr_db,))
    return compare("other", OTHER, ours=ours)[0][1]


def test_in_between_the_cost_is_interpolated() -> None:
    assert _ratio(25.0) == "20.0"


def test_a_better_cheapest_picture_is_admitted() -> None:
    assert _ratio(18.0) == "10.0, though its cheapest picture is 2.0 dB better"


def test_a_quality_out_of_reach_gives_a_bound() -> None:
    assert _ratio(31.0) == "more than 40: it does not get there"
