import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deals_pipeline.keepa.columns import history_table
from deals_pipeline.keepa.objects import Offer
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import (
    Fatal,
    Page,
    Products,
    Reply,
    Retryable,
    Sellers,
    Throttled,
    TokenStatus,
    WireAnswer,
)
from deals_pipeline.keepa.requests import Request
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline_tests.keepa.wire_examples import (
    PRODUCTS,
    VALID_ANSWERS,
    Wire,
    a_product,
    answered,
    products_of,
    spoilt,
)

ANY_REPLY = Page | Products | Sellers | TokenStatus | Throttled | Retryable | Fatal
STATUSES = st.sampled_from([200, 200, 200, 302, 400, 402, 404, 405, 429, 500, 503])
EXTREMES: list[Any] = [None, True, 0, -1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**30, -(10**30), 1.5, 1e300, "", "x"]
JSON = st.recursive(
    st.sampled_from(EXTREMES) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
REQUESTS = st.sampled_from([request for request, _ in VALID_ANSWERS])
many = settings(max_examples=300)


def use(reply: Reply) -> None:
    """Do with a reply what the pipeline does next: none of it may meet a value that was not checked."""
    assert isinstance(reply, ANY_REPLY)
    match reply:
        case Page():
            for deal in reply.deals:
                assert len(deal.image_name or "") < 100
                from_keepa_minutes(deal.creation_date)
                from_keepa_minutes(deal.last_update)
                assert all(value is None or 0 <= value < 2**31 for value in (*deal.current, *deal.current_since))
        case Products():
            history_table(reply.products).validate(full=True)
            for product in reply.products:
                from_keepa_minutes(product.tracking_since)
                for offer in (*product.live_offers, *(product.offers or ())):
                    assert not isinstance(offer, Offer) or (offer.price or 0) >= 0
        case Sellers():
            for seller in reply.sellers:
                from_keepa_minutes(seller.tracked_since)


@many
@given(REQUESTS, STATUSES, st.sampled_from(["", "gzip", "unsupported"]), st.binary(max_size=200))
def test_reading_never_raises_whatever_the_bytes(request_: Request, status: int, encoding: str, body: bytes) -> None:
    """F29, F53."""
    use(read_reply(request_, WireAnswer(status, encoding, body)))


@many
@given(REQUESTS, STATUSES, JSON)
def test_reading_never_raises_whatever_the_json(request_: Request, status: int, document: object) -> None:
    """F29, F53."""
    use(read_reply(request_, answered(document, status)))


def paths(document: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from paths(value, (*path, key))


ODD = [*EXTREMES, False, "7", [7], {"7": 7}, -0.0, 10.0, 1e3, 2**31 - 1, -(2**31)]
SOUND = st.lists(st.integers(0, 40), max_size=6).map(sorted)
HISTORIES = (
    SOUND | st.tuples(SOUND, st.sampled_from(ODD)).map(lambda drawn: [*drawn[0], drawn[1]]) | st.sampled_from(ODD)
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " : ")])


@many
@given(st.lists(HISTORIES, max_size=8), SEPARATORS)
def test_a_history_is_read_alike_beside_a_malformed_product_and_without_one(
    csv: list[object], separators: tuple[str, str]
) -> None:
    """F53: all products are read at once when all are sound, else one by one."""

    def read_with(others: list[Wire]) -> tuple[object, object]:
        answer = products_of([a_product(0, csv=csv), *others])
        body = json.dumps(answer, separators=separators).encode()
        reply = read_reply(PRODUCTS, WireAnswer(200, "", body))
        assert isinstance(reply, Products)
        return history_table(reply.products).to_pylist(), [aside for aside in reply.quarantined if aside.position == 0]

    assert read_with([]) == read_with([a_product(1, domainId="no number")])


@pytest.mark.parametrize("empty", ["[]", "[ ]", "[\n]"])
def test_an_empty_history_has_no_points_however_it_is_written(empty: str) -> None:
    body = json.dumps(products_of([a_product(0, csv=[[], [1, 2]])])).replace("[[],", f"[{empty},").encode()
    reply = read_reply(PRODUCTS, WireAnswer(200, "", body))
    assert isinstance(reply, Products)
    assert history_table(reply.products)["values"].to_pylist() == [[], [2]]


PATHS = [list(paths(answer)) for _, answer in VALID_ANSWERS]


@st.composite
def mutated_answers(draw: st.DrawFn) -> tuple[Request, Wire]:
    index = draw(st.integers(0, len(VALID_ANSWERS) - 1))
    request, answer = VALID_ANSWERS[index]
    by_depth: dict[int, list[Sequence[str | int]]] = {}
    for path in PATHS[index]:
        by_depth.setdefault(len(path), []).append(path)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(by_depth[draw(st.sampled_from(sorted(by_depth)))]))
        try:
            answer = spoilt(answer, path, draw(JSON))
        except (KeyError, IndexError, TypeError):  # an earlier mutation took this place away
            continue
    return request, answer


@many
@given(mutated_answers(), STATUSES)
def test_reading_never_raises_whatever_is_wrong_in_a_valid_answer(mutated: tuple[Request, Wire], status: int) -> None:
    """F29, F53: and what it lets through is fit for use."""
    request, answer = mutated
    use(read_reply(request, answered(answer, status)))


@many
@given(st.sampled_from(VALID_ANSWERS), st.data())
def test_reading_never_raises_whatever_byte_is_flipped_in_a_valid_answer(
    example: tuple[Request, Wire], data: st.DataObject
) -> None:
    """F29, F53."""
    request, answer = example
    body = bytearray(json.dumps(answer).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    use(read_reply(request, WireAnswer(200, "", bytes(body))))
