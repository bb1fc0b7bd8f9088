"""The sections that keep and share answers, and who may remove them."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.tree import Config

MODEL = """
providers: {stage: {kind: scripted}}
models:
  - name: m
    targets: [{provider: stage, model: m}]
"""


def _load(directory: Path, text: str) -> Config:
    file = directory / "gateway.yaml"
    file.write_text(text)
    return load(file, {"PASSWORD": "hush"}).config


def test_empty_sections_take_the_defaults(tmp_path: Path) -> None:
    (model,) = _load(tmp_path, MODEL + "    cache: {}\n    dedupe: {}\n").models
    assert model.cache is not None
    assert model.cache.ttl_s == 3600
    assert model.dedupe is not None
    assert model.dedupe.sampled
    assert model.embed_batching is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("cache: {store: redis}", "cache.store: redis needs the section redis"),
        ("redis: {url: 'http://x'}", "redis.url"),
        ("redis: {url: 'redis://x', ca_file: ca.pem}", "redis.ca_file: only a url with rediss://"),
        ("redis: {url: 'redis://user:hush@x:1/0'}", "redis.url: credentials do not belong"),
        ("redis: {url: 'redis://x', password: hush}", "redis.password"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError) as failure:
        _load(tmp_path, MODEL + text)
    assert place in str(failure.value)


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h", "unix:///run/redis.sock"])
def test_redis(tmp_path: Path, url: str) -> None:
    redis = _load(tmp_path, MODEL + f"redis: {{url: '{url}', password: 'env:PASSWORD'}}").redis
    assert redis is not None
    assert redis.url == url
    assert redis.password is not None
    assert redis.password.reveal() == "hush"
    assert "hush" not in redis.model_dump_json()
