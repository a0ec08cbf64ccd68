"""Inputs, contexts and options that cannot travel are refused before anything is stored."""

from __future__ import annotations

from typing import Any

import pytest
from celery import chain

from orchestrator.errors import ContextNotSerializable, InputTooLarge, InvalidInput
from tests.acceptance.bad_input.conftest import SECONDS
from tests.acceptance.shop import Quote, Shop

MEGABYTE = 1_000_000


def test_input_of_ten_megabytes_is_refused_at_submit(shop: Shop) -> None:
    with pytest.raises(
        InputTooLarge, match=r"input for agent `echo` has 10,000,\d+ bytes.*ORCHESTRATOR_MAX_INPUT_BYTES"
    ):
        shop.echo.submit("x" * 10 * MEGABYTE)


def test_context_of_ten_megabytes_is_refused_at_submit(shop: Shop) -> None:
    with pytest.raises(InputTooLarge, match=r"context for agent `echo` has 10,000,\d+ bytes"):
        shop.echo.submit("a", context={"text": "x" * 10 * MEGABYTE})


def test_input_of_ten_megabytes_in_the_canvas_fails_its_task(shop: Shop) -> None:
    with pytest.raises(InputTooLarge, match="input for agent `echo` has 10,000"):
        chain(shop.mark.s("x" * 10 * MEGABYTE), shop.echo.s()).apply_async().get(timeout=SECONDS)


@pytest.mark.parametrize("given", [object(), None, {1, object()}])
def test_input_that_is_no_json_is_refused(shop: Shop, given: Any) -> None:
    with pytest.raises(InvalidInput, match="text, a list of items or a JSON value"):
        shop.echo.submit(given)


def test_context_that_cannot_be_serialised_is_refused(shop: Shop) -> None:
    with pytest.raises(
        ContextNotSerializable, match=r"agent `echo` cannot be written as JSON.*ctx\.resource\(factory\)"
    ):
        shop.echo.submit("a", context={"connection": object()})


def test_context_that_is_no_object_is_refused(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="is a list; it must be an object or a dict"):
        shop.echo.submit("a", context=["milk"])


def test_context_of_another_type_is_refused(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="`shopper` works with a Basket as context, not with a Quote"):
        shop.shopper.submit("a", context=Quote(item="tea", cents=1))


def test_context_that_does_not_fit_its_type_is_named_by_its_fields(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="`shopper` is no Basket: `customer`: Field required; `items`"):
        shop.shopper.submit("a", context={"items": 5})


def test_options_that_are_none_are_refused(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match=r"run's options are not valid.*max_turns"):
        shop.echo.submit("a", max_turns=-1)
    with pytest.raises(InvalidInput, match=r"run's options are not valid.*modle"):
        shop.echo.submit("a", run_options={"modle": "x"})
