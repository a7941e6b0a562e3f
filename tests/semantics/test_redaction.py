"""Texts of others in our log lines: one line, printable, no secrets (G4)."""

from __future__ import annotations

import base64
import errno
import os
import time

import pytest

from breaker_exporter._base import address
from breaker_exporter._base.redaction import message, origin, shown

TOKEN = "dt0c01.8f3a01bc"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("monthly quota is used up", "monthly quota is used up"),
        ("ingest token expired on 2026-11-01", "ingest token expired on 2026-11-01"),
        ("token: expired, is it a secret?", "token: expired, is it a secret?"),
        ("two\r\nlines\t and  blanks \n", "two lines and blanks"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("\x1b[31mred\x1b[0m \x9b1mbold", "red bold"),
        ("\x1b]0;a title\x07text \x1b]8;;http://evil\x1b\\link", "text link"),
        ("\x1bcreset \x1b", "reset"),
        ("left \u202e right \u200b \ufeff\ud800", "left right"),
        ("next\u2028line\x85", "next line"),
        ("größer als 4 MiB", "größer als 4 MiB"),
        ("", ""),
    ],
)
def test_a_message_becomes_one_printable_line(text: str, line: str) -> None:
    assert message(text) == line


def test_a_message_is_cut_at_200_characters() -> None:
    assert message("x" * 300) == "x" * 197 + "..."
    assert message("x" * 3000) == "x" * 197 + "..."
    assert message("http://me:" + "pw" * 1000 + "@host") == "..."
    assert message("word " * 2000) == ("word " * 40)[:197] + "..."


@pytest.mark.parametrize(
    "text",
    [
        f"{TOKEN} is expired",
        f"unknown token '{TOKEN}'",
        f"Authorization: Api-Token {TOKEN}",
        f"pre{TOKEN}post",
        f"{TOKEN[:5]}\u200b{TOKEN[5:]}",
        f"{TOKEN[:5]}\x1b[0m{TOKEN[5:]}",
        "x" * 4090 + TOKEN,
    ],
)
def test_a_secret_of_ours_is_masked(text: str) -> None:
    line = message(text, [f"Api-Token {TOKEN}", "1", "abc"])

    assert "dt0c01" not in line
    assert "8f3a01bc" not in line


def test_a_secret_in_a_header_that_is_a_list_of_pairs_is_masked() -> None:
    """Sentry's, say: its key alone comes back in what Sentry answers."""
    secrets = [f"Sentry sentry_key={TOKEN}, sentry_version=7", 'Digest username="a-long-name"; nc=1']

    assert message(f"quota of {TOKEN} is used up, 7 left", secrets) == "quota of *** is used up, 7 left"
    assert message("a-long-name has no quota", secrets) == "*** has no quota"


def test_basic_credentials_are_masked_in_each_form() -> None:
    encoded = base64.b64encode(b"shop:hunter22").decode()
    secrets = [f"Basic {encoded}"]

    assert message(f"no user for {encoded}", secrets) == "no user for ***"
    assert message("wrong: shop:hunter22", secrets) == "wrong: ***"
    assert message("password hunter22 is old", secrets) == "password *** is old"
    assert message("not base64 at all", ["Basic not/base64!"]) == "not base64 at all"
    assert message("nor text", ["Basic //79"]) == "nor text"


def test_a_short_secret_is_masked_as_a_word_of_its_own_only() -> None:
    assert message("prod is no production", ["prod"]) == "*** is no production"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("see https://me:pw@host/path?key=1", "see https://***@host/path?***"),
        ("Bearer eyJhbGciOi.x was not taken", "Bearer *** was not taken"),
        ("bearer authentication is needed", "bearer authentication is needed"),
        ("api_key=open sesame", "api_key=*** sesame"),
        ('{"token": "8f3a01bc99"}', '{"token"=***"}'),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, line: str) -> None:
    assert message(text) == line


@pytest.mark.parametrize("pattern", ["a", "/", "'", "?", "=", "\x1b", "\x1b]", "key=", "key ", "a?", "//a@"])
def test_no_message_takes_long(pattern: str) -> None:
    """A backend must not block the hub by the text it answers with."""
    harmless = "some words " * 6000
    message(harmless)
    began = time.process_time()
    for _ in range(5):
        message(harmless, ["a-header-value"])
    usual = time.process_time() - began

    began = time.process_time()
    for _ in range(5):
        message(pattern * 66_000, ["a-header-value"])
    assert time.process_time() - began < 100 * usual + 0.5


def test_a_question_mark_at_the_end_of_a_word_is_no_query() -> None:
    assert shown("http://c/?") == "'http://c/?'"


def test_what_the_system_said_is_told_of_an_error_that_wraps_it() -> None:
    """OpenTelemetry's exporters before 1.40 let errors of requests through."""
    refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    wrapped = ValueError("http://me:pw@host", KeyError(RuntimeError("s3cret")))
    wrapped.args[1].args[0].__cause__ = refused
    assert origin(wrapped) == "ValueError: Connection refused"

    refused.__cause__ = wrapped  # a chain of causes may be a circle
    assert origin(wrapped) == "ValueError: Connection refused"


def test_the_text_of_an_error_stays_out() -> None:
    assert origin(ValueError("http://me:pw@host")) == "ValueError"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Collector.Obs.:4318/v1", ("http", "collector.obs", 4318)),
        ("https://[0:0::1]", ("https", "::1", 443)),
        ("http://two..dots", ("http", "two..dots", 80)),  # no valid host name: IDNA cannot encode it
        ("http://" + "a" * 300, ("http", "a" * 300, 80)),
    ],
)
def test_the_origin_of_a_url_is_compared_in_one_spelling(
    url: str, expected: tuple[str, str, int | None]
) -> None:
    assert address.origin(url) == expected
