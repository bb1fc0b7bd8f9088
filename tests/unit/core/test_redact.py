"""Secrets go, whatever they stand in."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.redact import MASK, Redactor

SHAPES = {
    "sk-proj-abcdefghijklmnop": "openai",
    "sk-ant-api03-abcdefghijklmnop": "anthropic",
    "gsk_abcdefghijklmnop": "groq",
    "hf_abcdefghijklmnop": "hugging face",
    "xai-abcdefghijklmnop": "xai",
    "pplx-abcdefghijklmnop": "perplexity",
    "r8_abcdefghijklmnop": "replicate",
    "AIzaSyAbcdefghijklmnopqrstuv": "google",
    "AKIAABCDEFGHIJKLMNOP": "aws",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl": "a token",
}


@pytest.mark.parametrize("secret", SHAPES)
@pytest.mark.parametrize("around", ["{}", "key={}!", '"{}"', "({}), and", "Bearer {}"])
def test_what_has_the_shape_of_a_key_is_masked(secret, around):
    shown = Redactor()(around.format(secret))
    assert secret not in shown
    assert secret[6:] not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/x", f"https://{MASK}@host/x"),
        ("https://h/v1?key=abc&x=1", f"https://h/v1?key={MASK}&x=1"),
        ("authorization: Bearer abcdefgh12", f"authorization: Bearer {MASK}"),
    ],
)
def test_secrets_in_their_usual_places(text, shown):
    assert Redactor()(text) == shown


@pytest.mark.parametrize("text", ["The model gpt-4o-mini is busy.", "task-force", "a risk-free-x"])
def test_plain_words_stay(text):
    assert Redactor()(text) == text


def test_configured_secrets_are_masked_wherever_they_stand_the_longest_first():
    redact = Redactor(("abcd", "abcdefgh", "xy"))
    assert redact("1abcdefgh2 abcd xy") == f"1{MASK}2 {MASK} xy"


def test_a_text_is_one_line_of_limited_length_and_never_cut_before_it_is_masked():
    redact = Redactor(("topsecret",))
    assert redact("a\n\tb  c\r\n") == "a b c"
    assert redact("x" * 50, 10) == "x" * 9 + "…"
    assert "tops" not in redact("x" * 295 + "topsecret", 300)


def test_what_is_learned_later_is_masked_too():
    redact = Redactor(("former-one",))
    redact.learn(("latter", "former-one", "xy"))
    assert redact("former-one latter xy") == "[redacted] [redacted] xy"
