"""A second call: the same again changes nothing, another value is one clear error."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    Connected,
    MakeProvider,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    spans_at,
)


def test_the_same_again_changes_nothing(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    first = connected()
    client = sentry_sdk.get_client()

    assert connected() is first
    span = fail_in_a_span(provider)
    provider.force_flush()

    assert sentry_sdk.get_client() is client
    assert spans_at(sentry) == [span]
    assert [linked(event) for event in arrived(sentry)] == [span]


def test_options_that_are_equal_but_made_anew_change_nothing(
    provider: TracerProvider, connected: Connected
) -> None:
    from sentry_sdk.integrations.logging import LoggingIntegration

    first = connected(integrations=[LoggingIntegration()], ignore_errors=[KeyError])

    assert connected(integrations=[LoggingIntegration()], ignore_errors=[KeyError]) is first


def test_to_connect_to_the_applications_client_twice_changes_nothing(
    sentry: FaultyCollector, provider: TracerProvider
) -> None:
    init_as_the_application(sentry.sentry_dsn)
    first = connect(provider)

    assert first is not None
    assert connect(provider) is first
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_the_same_transaction_comes_once(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected(mode=SentryMode.SPAN_PROCESSOR)
    connected(mode=SentryMode.SPAN_PROCESSOR)

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
def test_another_value_is_an_error_that_names_the_setting(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    other: dict[str, Any],
    name: str,
) -> None:
    connected()

    with pytest.raises(
        ValueError, match=rf"this provider is connected to Sentry already, with another {name}$"
    ) as caught:
        connected(**other)

    assert "otherkey" not in str(caught.value)
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_the_error_names_all_settings_that_differ(connected: Connected) -> None:
    connected()

    with pytest.raises(ValueError, match="another release, traces_sample_rate"):
        connected(release="shop@2", traces_sample_rate=0.5)


def test_what_a_further_call_leaves_out_may_differ(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    first = connected(traces_sample_rate=1.0, report_transitions=True)

    assert connect(provider) is first
    assert connect(provider, report_transitions=False, release="shop@1") is first
    assert connect(provider, mode=SentryMode.OTLP, traces_sample_rate=1) is first
    span = end_a_span(provider)
    provider.force_flush()
    assert spans_at(sentry) == [span]


def test_what_a_further_call_gives_may_not(provider: TracerProvider, connected: Connected) -> None:
    connected()

    with pytest.raises(ValueError, match=r"with another traces_sample_rate$"):
        connect(provider, traces_sample_rate=0.1)
    with pytest.raises(ValueError, match=r"with another mode$"):
        connect(provider, mode=SentryMode.SPAN_PROCESSOR)


def test_another_provider_gets_an_exporter_of_its_own(
    sentry: FaultyCollector,
    provider: TracerProvider,
    make_provider: MakeProvider,
    connected: Connected,
) -> None:
    first = connected()
    other = make_provider()
    second = Connected(other, connected.dsn)()

    spans = [end_a_span(provider), end_a_span(other)]
    provider.force_flush()
    other.force_flush()

    assert second is not first
    assert spans_at(sentry) == spans


def test_a_call_that_failed_does_not_count(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    assert connected(dsn="nonsense") is None
    assert connected() is not None

    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
