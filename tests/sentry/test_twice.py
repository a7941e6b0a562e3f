"""Calls twice: the same again changes nothing, something else is one clear error."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import SentryMode, attach_sentry
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    Init,
    MakeProvider,
    arrived,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    spans_at,
)


def test_the_same_again_changes_nothing(
    sentry: FaultyCollector, provider: TracerProvider, init: Init
) -> None:
    first = init()
    client = sentry_sdk.get_client()

    assert init() is first
    span = fail_in_a_span(provider)
    provider.force_flush()

    assert sentry_sdk.get_client() is client
    assert spans_at(sentry) == [span]
    assert [linked(event) for event in arrived(sentry)] == [span]


def test_so_do_options_that_are_equal_but_made_anew(provider: TracerProvider, init: Init) -> None:
    from sentry_sdk.integrations.logging import LoggingIntegration

    first = init(integrations=[LoggingIntegration()], ignore_errors=[KeyError])

    assert init(integrations=[LoggingIntegration()], ignore_errors=[KeyError]) is first


def test_to_attach_twice_changes_nothing(sentry: FaultyCollector, provider: TracerProvider) -> None:
    init_as_the_application(sentry.sentry_dsn)
    first = attach_sentry(provider)

    assert first is not None
    assert attach_sentry(provider) is first
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_the_same_transaction_comes_once(
    sentry: FaultyCollector, provider: TracerProvider, init: Init
) -> None:
    init(mode=SentryMode.SPAN_PROCESSOR)
    init(mode=SentryMode.SPAN_PROCESSOR)

    span = end_a_span(provider)

    assert [linked(item) for item in arrived(sentry, "transaction")] == [span]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"dsn": "https://otherkey@sentry.invalid/9"}, "dsn"),
        ({"mode": SentryMode.SPAN_PROCESSOR}, "mode"),
        ({"release": "shop@2"}, "release"),
        ({"environment": "staging"}, "environment"),
        ({"traces_sample_rate": 0.5}, "traces_sample_rate"),
        ({"report_transitions": True}, "report_transitions"),
        ({"max_breadcrumbs": 7}, "options"),
    ],
)
def test_something_else_is_an_error_that_names_it(
    sentry: FaultyCollector, provider: TracerProvider, init: Init, other: dict[str, Any], name: str
) -> None:
    init()

    with pytest.raises(
        ValueError, match=rf"this provider has Sentry already, with another {name}$"
    ) as caught:
        init(**other)

    assert "otherkey" not in str(caught.value)
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_all_that_differs_is_named(init: Init) -> None:
    init()

    with pytest.raises(ValueError, match="another release, traces_sample_rate"):
        init(release="shop@2", traces_sample_rate=0.5)


def test_to_attach_after_init_changes_nothing(
    sentry: FaultyCollector, provider: TracerProvider, init: Init
) -> None:
    first = init(traces_sample_rate=1.0)

    assert attach_sentry(provider) is first
    assert attach_sentry(provider, mode=SentryMode.OTLP, traces_sample_rate=1) is first
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_to_attach_otherwise_after_init_is_an_error(provider: TracerProvider, init: Init) -> None:
    init()

    with pytest.raises(ValueError, match=r"with another traces_sample_rate$"):
        attach_sentry(provider, traces_sample_rate=0.1)
    with pytest.raises(ValueError, match=r"with another mode$"):
        attach_sentry(provider, mode=SentryMode.SPAN_PROCESSOR)


def test_another_provider_gets_an_exporter_of_its_own(
    sentry: FaultyCollector, provider: TracerProvider, make_provider: MakeProvider, init: Init
) -> None:
    first = init()
    other = make_provider()
    second = Init(other, init.dsn)()

    spans = [end_a_span(provider), end_a_span(other)]
    provider.force_flush()
    other.force_flush()

    assert second is not first
    assert spans_at(sentry) == spans


def test_a_call_that_failed_does_not_count(
    sentry: FaultyCollector, provider: TracerProvider, init: Init
) -> None:
    assert init(dsn="nonsense") is None
    assert init() is not None

    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
