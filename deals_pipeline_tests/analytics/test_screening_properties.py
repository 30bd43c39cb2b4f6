"""Screening is one predicate, relaxed where less is known: what a dearer stage lets pass, every cheaper one does."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from deals_pipeline.config import Marketplace
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.analytics.random_deals import some_deals
from deals_pipeline_tests.analytics.reference import DealMetrics, Known, LiveOffer, Product
from deals_pipeline_tests.analytics.stored import recomputed, store

FREE_INBOUND = Marketplace.model_validate({"name": "US", "inbound_shipping": 0})
"""Where an offer's price, which has its shipping in it, costs as much as a listing of the same price."""
STAGES = ("page", "history", "offers")
Variant = Callable[[Known, DealMetrics], Known]


def at_listed_price(deal: Known, price: int | None, **changes: object) -> Known:
    """Return the deal without offers, its listing at that price."""
    product = deal.product
    if product is not None and product.stats is not None:
        current = {**product.stats.current, PriceType.USED: price}
        product = replace(product, stats=replace(product.stats, current=current))
    page = replace(deal.page, used_cents=price)
    return replace(deal, **{"page": page, "product": product, "offers": None} | changes)  # type: ignore[arg-type]


def without_offers(deal: Known, metrics: DealMetrics) -> Known:
    return at_listed_price(deal, metrics.price_now)


def without_history(deal: Known, metrics: DealMetrics) -> Known:
    return at_listed_price(deal, metrics.price_now, product=None)


def a_cent_cheaper(deal: Known, metrics: DealMetrics) -> Known:
    return cheaper(deal, metrics, 1)


def half_as_dear(deal: Known, metrics: DealMetrics) -> Known:
    return cheaper(deal, metrics, (metrics.price_now or 0) // 2)


def cheaper(deal: Known, metrics: DealMetrics, less: int) -> Known:
    """Return the deal with the price that counts lower by so much, but a cent; the page does not say that it moved."""
    assert metrics.price_now is not None
    if metrics.price_source == "listing":
        return replace(at_listed_price(deal, max(1, metrics.price_now - less)), offers=deal.offers)
    assert deal.offers is not None

    def lowered(offer: LiveOffer) -> LiveOffer:
        assert offer.price is not None
        return replace(offer, price=max(1, offer.price - less))

    live = [lowered(each) if each.offer_id == metrics.offer_id else each for each in deal.offers.live]
    return replace(deal, offers=replace(deal.offers, live=tuple(live)))


def sold_for_more(deal: Known, _: DealMetrics) -> Known:
    """Return the deal with all of its used prices, so all of its sales, higher by one dollar."""
    if deal.product is None:
        return deal
    prices = [(time, price + 100 if price else price) for time, price in deal.product.used_prices]
    return replace(deal, product=replace(deal.product, used_prices=prices))


def never_sold_by_amazon(deal: Known, _: DealMetrics) -> Known:
    return replace(deal, product=deal.product and without_ceiling(deal.product))


def without_ceiling(product: Product) -> Product:
    if product.stats is None:
        return product
    windows = ("current", "average_180_days", "average_365_days")
    others = {name: {**getattr(product.stats, name), PriceType.AMAZON: None} for name in windows}
    return replace(product, stats=replace(product.stats, **others))


VARIANTS: Mapping[str, Variant] = {
    variant.__name__: variant
    for variant in (
        without_offers,
        without_history,
        a_cent_cheaper,
        half_as_dear,
        sold_for_more,
        never_sold_by_amazon,
    )
}


@pytest.fixture(scope="module")
def screened(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[DealMetrics, DealMetrics]]]:
    """Return survivors among deals by chance, each before and after a change."""
    deals = {asin: replace(deal, sellers={}) for asin, deal in some_deals(seed=2, count=1000).items()}
    with connect(Path(shutil.copy(migrated, tmp_path_factory.mktemp("screened")))) as connection:
        store(connection, deals, FREE_INBOUND)
        before = {asin: each.metrics for asin, each in recomputed(connection, FREE_INBOUND).items()}
        survivors = [asin for asin, metrics in before.items() if metrics.screened == "survives"]
        changed = {
            f"{name} {asin}": variant(deals[asin], before[asin])
            for name, variant in VARIANTS.items()
            for asin in survivors
        }
        store(connection, changed, FREE_INBOUND)
        after = recomputed(connection, FREE_INBOUND)
    return {name: [(before[asin], after[f"{name} {asin}"].metrics) for asin in survivors] for name in VARIANTS}


Screened = dict[str, list[tuple[DealMetrics, DealMetrics]]]


@pytest.mark.parametrize("name", ["without_offers", "without_history"])
def test_who_survives_survives_at_every_earlier_stage(name: str, screened: Screened) -> None:
    """F40: what is known is taken away, dearest first, at the same price."""
    for before, after in screened[name]:
        assert after.price_now == before.price_now
        assert (after.screened, after.screened_reason) == ("survives", None), (before, after)
        latest = "page" if name == "without_history" else "history"
        assert after.screened_stage == min(latest, before.screened_stage, key=STAGES.index)
    assert {before.screened_stage for before, _ in screened[name]} == set(STAGES)


@pytest.mark.parametrize("name", ["a_cent_cheaper", "half_as_dear"])
def test_a_lower_price_rejects_nobody(name: str, screened: Screened) -> None:
    prices = [(before.price_now or 0, after.price_now or 0) for before, after in screened[name]]
    assert all(0 < after <= before for before, after in prices)
    assert sum(after < before for before, after in prices) > 60
    for before, after in screened[name]:
        assert (after.screened, after.screened_stage) == ("survives", before.screened_stage), (before, after)


@pytest.mark.parametrize("name", ["sold_for_more", "never_sold_by_amazon"])
def test_a_higher_estimate_rejects_nobody_until_it_is_implausible(name: str, screened: Screened) -> None:
    raised = 0
    for before, after in screened[name]:
        if after.list_price_source != "implausible":
            assert (after.screened, after.screened_stage) == ("survives", before.screened_stage), (before, after)
            assert (after.list_price_estimate or 0) >= (before.list_price_estimate or 0)
            raised += (after.list_price_estimate or 0) > (before.list_price_estimate or 0)
    assert raised > 5
