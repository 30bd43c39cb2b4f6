import pytest

from deals_pipeline.keepa.tokens import Cost


@pytest.mark.parametrize(("low", "high"), [(-1, 0), (2, 1), (-2, -1)])
def test_a_cost_whose_bounds_make_no_sense_is_refused(low: int, high: int) -> None:
    """F01."""
    with pytest.raises(ValueError, match=rf"low={low}, high={high}.*allowed is 0 <= low <= high"):
        Cost(low, high)


@pytest.mark.parametrize(("tokens", "covered"), [(0, False), (1, True), (7, True), (12, True), (13, False)])
def test_a_cost_covers_what_lies_between_its_bounds(tokens: int, covered: bool) -> None:
    """F01: the actual cost is checked against the range."""
    assert (tokens in Cost(1, 12)) is covered


def test_costs_add_and_multiply_bound_by_bound() -> None:
    assert Cost(1, 12) + Cost(0, 2) == Cost(1, 14)
    assert Cost(1, 12) * 3 == Cost(3, 36)
    assert Cost(1, 12) * 0 == Cost(0, 0)
