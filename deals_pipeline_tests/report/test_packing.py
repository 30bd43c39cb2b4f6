import gzip
import json
from base64 import b64decode
from itertools import accumulate
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.report.data import Drop, History, Series
from deals_pipeline.report.packing import DEALS_MAX, differences, packed, packed_histories

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 \U0001f4da \u202e"


def unpacked(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(gzip.decompress(b64decode(text)))


@given(st.lists(st.none() | st.integers(-(2**31), 2**31)))
def test_differences_add_up_to_the_numbers_again(values: list[int | None]) -> None:
    found = differences(values)
    assert [value is None for value in found] == [value is None for value in values]
    known = [value for value in values if value is not None]
    assert list(accumulate(step for step in found if step is not None)) == known


def test_what_is_packed_has_no_character_that_html_knows() -> None:
    text = packed({"title": [HOSTILE]})
    assert not set(text) & set("<>&\"'!-")
    assert unpacked(text) == {"title": [HOSTILE]}


def test_what_is_no_number_is_null() -> None:
    assert unpacked(packed({"roi": [float("nan"), float("inf"), 0.5]})) == {"roi": [None, None, 0.5]}


def test_the_same_deals_give_the_same_page() -> None:
    assert packed({"a": [1]}) == packed({"a": [1]})


def test_histories_are_in_packs_in_their_order() -> None:
    drop = Drop(
        day=20_000, used_offers_before=3, used_offers_after=2, confirmed_by="rank", sale_price=900, is_sane=True
    )
    history = History({PriceType.USED: Series([20_000, 20_010], [900, None])}, [drop])
    packs = [unpacked(text) for text in packed_histories([None] * DEALS_MAX + [history])]
    assert [len(pack) for pack in packs] == [DEALS_MAX, 1]
    ((found,),) = packs[1:]
    assert found["series"] == {"2": [[20_000, 10], [900, None]]}
    assert found["drops"] == {
        "day": [20_000],
        "used_offers_before": [3],
        "used_offers_after": [2],
        "confirmed_by": ["rank"],
        "sale_price": [900],
        "is_sane": [True],
    }


def test_prices_are_exact_and_ranks_have_three_digits() -> None:
    ranks, prices = [1, 98, 123, 66_587, None, 1_234_567], [1, 98, 123, 66_587, None, 1_234_567]
    days = list(range(20_000, 20_006))
    history = History({PriceType.SALES: Series(days, ranks), PriceType.USED: Series(days, prices)}, [])
    ((found,),) = (unpacked(text) for text in packed_histories([history]))
    assert [*accumulate(step for step in found["series"]["2"][1] if step is not None)] == [
        1,
        98,
        123,
        66_587,
        1_234_567,
    ]
    assert [*accumulate(step for step in found["series"]["3"][1] if step is not None)] == [
        1,
        98,
        123,
        66_600,
        1_230_000,
    ]
