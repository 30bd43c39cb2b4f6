import pytest
from keepa.constants import csv_indices

from deals_pipeline.keepa.price_types import Measure, Needs, PriceType

WITH_SHIPPING = {7, *range(18, 30), 32}
NEEDING = {
    Needs.OFFERS: {7, 9, 10, 15, *range(19, 28), 31, 33},
    Needs.OFFERS_OR_RATING: {16, 17},
    Needs.OFFERS_OR_BUYBOX: {18, 32},
}
MEASURING = {Measure.RANK: {3}, Measure.COUNT: {11, 12, 13, 14, 15, 17, 34, 35}, Measure.RATING: {16}}
NEVER_A_DEAL = {4, 11, 12, 13, 14, 15, 28, 29, 30, 31, 34, 35}


def test_the_price_types_are_the_36_indices_of_a_csv() -> None:
    assert [int(kind) for kind in PriceType] == list(range(36))


@pytest.mark.parametrize("kind", PriceType, ids=lambda kind: kind.name)
def test_a_price_type_is_what_the_facts_say(kind: PriceType) -> None:
    """Fact P2: which types are triples, which need a parameter, and what they count."""
    assert kind.with_shipping is (kind in WITH_SHIPPING)
    assert kind.stride == (3 if kind in WITH_SHIPPING else 2)
    assert kind.needs is next((needs for needs, kinds in NEEDING.items() if kind in kinds), Needs.HISTORY)
    assert kind.measure is next((measure for measure, kinds in MEASURING.items() if kind in kinds), Measure.MONEY)
    assert not (kind in NEVER_A_DEAL and kind.deal_relevant)


@pytest.mark.parametrize(("index", "name", "scaled"), csv_indices, ids=[name for _, name, _ in csv_indices])
def test_the_public_keepa_package_agrees_on_a_price_type(index: int, name: str, scaled: bool) -> None:
    """The package divides money and ratings by a constant, and reads triples where the name says SHIPPING."""
    kind = PriceType[name]
    assert kind == index
    assert kind.with_shipping is ("SHIPPING" in name)
    assert (kind.measure in {Measure.MONEY, Measure.RATING}) is scaled


def test_the_public_keepa_package_knows_no_other_price_type() -> None:
    assert {name for _, name, _ in csv_indices} == {kind.name for kind in PriceType}
