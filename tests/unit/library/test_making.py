"""Gateways and configurations from the least that one must say."""

import logging
from decimal import Decimal

import pytest

import interlingua_gateway
from interlingua_gateway import (
    CallerError,
    Gateway,
    GatewayConfig,
    MultiProviderGateway,
    Reason,
    UpstreamError,
    configure_gateway,
    create_gateway,
)
from interlingua_gateway.config.known import KNOWN
from interlingua_gateway.config.programmatic import gateway_config
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.core.call import CacheStatus
from tests.support.gateway import scripted
from tests.support.upstream import Upstream, Visit, always, whole

ANSWER = (
    b'{"id": "1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", '
    b'"message": {"role": "assistant", "content": "from %s"}}]}'
)
PARAMS = "model_list[0].litellm_params."
KEY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for known in KNOWN:
        for setting in known.settings:
            for variable in setting.variables:
                monkeypatch.delenv(variable, raising=False)


def stage(name: str, **entry: object) -> dict[str, object]:
    return {"name": name, "kind": "scripted", **entry}


@pytest.mark.parametrize("keys", [{}, {"openai": ""}, {"openai": "  "}])
def test_a_missing_or_empty_key_is_told_at_once(keys, tmp_path):
    with pytest.raises(CallerError) as caught:
        create_gateway(["openai"], "gpt-4o", keys, data_dir=tmp_path)
    assert caught.value.reason is Reason.CREDENTIALS_MISSING
    assert "openai" in caught.value.message
    assert "OPENAI_API_KEY" in caught.value.message


def test_an_empty_key_is_told_although_the_environment_has_one(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(CallerError, match="OPENAI_API_KEY"):
        create_gateway(["openai"], api_keys={"openai": ""}, data_dir=tmp_path)
    with pytest.raises(CallerError, match="no key: give api_keys"):
        create_gateway([stage("own")], api_keys={"own": " "}, data_dir=tmp_path)


def test_every_missing_key_is_told(tmp_path):
    with pytest.raises(CallerError) as caught:
        create_gateway(["openai", "anthropic", "bedrock"], data_dir=tmp_path)
    named = [one.subject for one in caught.value.violations]
    assert named[:2] == ["api_keys[openai]", "api_keys[anthropic]"]
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID"):
        assert variable in caught.value.message
    assert "api_keys={'openai': ...}" in caught.value.message
    assert "api_keys={'bedrock'" not in caught.value.message


def test_a_key_is_taken_from_the_environment_and_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with create_gateway(default_model="gpt-4o", data_dir=tmp_path) as gateway:
        config = gateway._host.config
        assert list(config.providers) == ["openai"]
        assert KEY not in f"{config!r} {config.model_dump_json()}"
        assert gateway.calculate_cost("default", 1_000_000, 0) == 2.5
        assert gateway.calculate_cost("gpt-4o-mini", 1_000_000, 0) == 0.15
        assert gateway.calculate_cost("openai/gpt-4o", 0, 1_000_000) == 10


def test_keys_of_several_providers_at_once():
    keys = {"openai": KEY, "gemini": KEY + "a"}
    config = gateway_config(["gemini", "openai"], "gpt-4o", keys, {})
    assert config.providers["gemini"].api_key == Secret(KEY + "a", "x")
    targets = {model.name: model.targets for model in config.models}
    assert [target.model for target in targets["default"]] == ["gemini/gpt-4o", "gpt-4o"]
    assert [target.model for target in targets["*"]] == ["gemini/*", "*"]
    assert KEY not in config.model_dump_json()
    config = gateway_config(["gemini", "openai"], "openai/o3", keys, {})
    (default,) = [model for model in config.models if model.name == "default"]
    assert [(one.provider, one.model) for one in default.targets] == [("openai", "o3")]


def test_without_any_key_there_is_the_embedded_model():
    config = gateway_config(None, None, {}, {})
    assert list(config.providers) == ["local"]
    assert config.models[0].aliases == ("default",)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"providers": []}, "providers"),
        ({"providers": ["opnai"]}, "providers[0]"),
        ({"providers": [{"kind": "openai"}]}, "providers[0]"),
        ({"providers": ["ollama"], "api_keys": {"openai": "k"}}, "api_keys[openai]"),
        ({"providers": [stage("a", kid="x")]}, "providers.a.kid"),
        ({"providers": ["ollama"], "timeout": -1}, "server.default_deadline_s"),
        ({"providers": ["ollama"], "config": GatewayConfig(**scripted())}, "config"),
    ],
)
def test_what_is_wrong_is_named(said, field, tmp_path):
    with pytest.raises(CallerError) as caught:
        create_gateway(**said)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [one.subject for one in caught.value.violations] == [field]


def test_providers_are_tried_in_order(tmp_path):
    down = stage("first", model="down", script={"down": [{"do": "fail"}]})
    up = stage("second", model="up", script={"up": "from the second"})
    with MultiProviderGateway([down, up], data_dir=tmp_path) as gateway:
        result = gateway.generate("x")
        assert (result.text, result.provider) == ("from the second", "second")
        assert [attempt.provider for attempt in result.attempts] == ["first", "second"]


def test_when_every_provider_failed_all_is_told(tmp_path):
    busy = [{"do": "fail", "reason": "UPSTREAM_RATE_LIMITED"}]
    first = stage("first", model="a", script={"a": [{"do": "fail"}]})
    second = stage("second", model="b", script={"b": busy})
    with (
        MultiProviderGateway([first, second], data_dir=tmp_path) as gateway,
        pytest.raises(UpstreamError) as caught,
    ):
        gateway.generate("x", timeout_s=5)
    assert caught.value.reason is Reason.ALL_TARGETS_FAILED
    assert "first/a=UPSTREAM_UNAVAILABLE" in str(caught.value)
    assert "second/b=UPSTREAM_RATE_LIMITED" in str(caught.value)


def test_answers_are_kept_where_that_is_asked(tmp_path):
    config = GatewayConfig(
        enable_caching=True, cache_ttl=60, data_dir=tmp_path, **scripted(x="said")
    )
    with create_gateway(config=config) as gateway:
        found = [gateway.generate("x", "x").cache_status for _ in range(2)]
        assert found == [CacheStatus.MISS, CacheStatus.HIT]
        assert gateway.generate("x", "x", cache_mode="bypass").cache_status is CacheStatus.BYPASS
    assert {model.cache.ttl_s for model in config.models} == {60}
    with pytest.raises(CallerError, match="enable_caching"):
        GatewayConfig(cache_ttl=60)


def test_the_tree_is_that_of_the_file(tmp_path):
    with pytest.raises(CallerError) as caught:
        GatewayConfig(limits={"rules": [{"name": "a"}]}, http={"listn": None}, nonsense=1)
    named = {one.subject for one in caught.value.violations}
    assert named == {"limits.rules[0]", "http.listn", "nonsense"}
    assert GatewayConfig(data_dir=tmp_path).data_dir == tmp_path


LIST = [
    {
        "model_name": "chat",
        "litellm_params": {
            "model": "openai/gpt-4o",
            "api_key": KEY,
            "rpm": 60,
            "tpm": 1000,
            "timeout": 30,
            "weight": 3,
        },
    },
    {
        "model_name": "chat",
        "litellm_params": {
            "model": "gpt-4o",
            "api_key": "os.environ/SECOND_KEY",
            "timeout": 30,
            "input_cost_per_token": 2e-07,
            "output_cost_per_token": 1e-05,
        },
        "model_info": {"id": "x", "max_input_tokens": 1000},
    },
    {
        "model_name": "flash",
        "litellm_params": {"model": "gemini/gemini-2.5-flash", "api_key": KEY, "mock": True},
    },
    {"model_name": "claude", "litellm_params": {"model": "claude-sonnet-4-5", "api_key": KEY}},
    {"model_name": "here", "litellm_params": {"model": "ollama/llama3", "api_base": "http://h:1"}},
]


def test_litellms_model_list(monkeypatch, tmp_path):
    monkeypatch.setenv("SECOND_KEY", "second")
    config = configure_gateway(LIST, timeout=20, data_dir=tmp_path)
    assert config.server.default_deadline_s == 20
    assert {name: entry.kind for name, entry in config.providers.items()} == {
        "openai": "openai",
        "openai-2": "openai",
        "gemini": "litellm",
        "anthropic": "anthropic",
        "ollama": "ollama",
    }
    assert config.providers["openai"].api_key == Secret(KEY, "x")
    assert config.providers["openai-2"].api_key == Secret("second", "x")
    assert config.providers["ollama"].base_url == "http://h:1"
    chat, flash, claude, here = config.models
    assert (chat.name, chat.strategy, chat.timeouts.total_s) == ("chat", "weighted", 30)
    assert [(target.model, target.weight) for target in chat.targets] == [
        ("gpt-4o", 3),
        ("gpt-4o", 1),
    ]
    assert chat.context_window_tokens == 1000
    price = chat.targets[1].price
    assert price.input_usd_per_million == Decimal("0.2")
    assert price.output_usd_per_million == 10
    assert flash.targets[0].model == "gemini/gemini-2.5-flash"
    assert config.providers["gemini"].params["mock"] is True
    assert claude.targets[0].model == "claude-sonnet-4-5"
    assert here.targets[0].model == "llama3"
    (rule,) = config.limits.rules
    assert (rule.providers, rule.models) == (frozenset({"openai"}), ("gpt-4o",))
    assert (rule.requests_per_minute, rule.tokens_per_minute) == (60, 1000)
    assert KEY not in config.model_dump_json()


async def test_a_gateway_of_a_model_list_answers(tmp_path):
    seen: list[str] = []

    async def answer(visit: Visit) -> bool:
        seen.append(visit.headers["authorization"])
        await visit.send(whole(ANSWER % b"there"))
        return True

    async with Upstream(answer) as upstream:
        params = {"model": "openai/m", "api_key": KEY, "api_base": upstream.url}
        config = configure_gateway(
            [{"model_name": "mine", "litellm_params": params}], data_dir=tmp_path
        )
        async with create_gateway(config=config) as gateway:
            assert (await gateway.generate_async("x", "mine")).text == "from there"
    assert seen == [f"Bearer {KEY}"]


async def test_a_keyless_upstream_of_ones_own(tmp_path):
    async with Upstream(always(whole(ANSWER % b"here"))) as upstream:
        own = {"name": "own", "kind": "vllm", "base_url": upstream.url}
        async with create_gateway([own], "m", data_dir=tmp_path) as gateway:
            assert (await gateway.generate_async("x")).text == "from here"
            assert (await gateway.generate_async("x", "own/m")).upstream_model == "m"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"litellm_params": {"model": "openai/m"}}, "model_list[0]"),
        ({"model_name": "a", "litellm_params": {}}, "model_list[0]"),
        (
            {"model_name": "a", "litellm_params": {"model": "m"}},
            "model_list[0].litellm_params.model",
        ),
        (
            {"model_name": "a", "litellm_params": {"model": "ollama/m", "drop_params": True}},
            PARAMS + "drop_params",
        ),
        (
            {
                "model_name": "a",
                "litellm_params": {"model": "ollama/m"},
                "model_info": {"supports_vision": True},
            },
            "model_list[0].model_info.supports_vision",
        ),
        ({"model_name": "a", "litellm_params": {"model": "openai/m"}}, "api_keys[openai]"),
    ],
)
def test_what_has_no_place_in_this_gateway_is_named(entry, field):
    with pytest.raises(CallerError) as caught:
        configure_gateway([entry])
    assert [one.subject for one in caught.value.violations] == [field]


def test_an_empty_model_list():
    with pytest.raises(CallerError, match="must not be empty"):
        configure_gateway([])


def test_every_name_of_the_library_is_there():
    for name in dir(interlingua_gateway):
        assert getattr(interlingua_gateway, name) is not None
    assert interlingua_gateway.Gateway is Gateway
    with pytest.raises(AttributeError, match="no attribute 'nobody'"):
        _ = interlingua_gateway.nobody


def test_logging_is_left_to_the_program(tmp_path):
    before = (list(logging.getLogger().handlers), logging.getLogger().level)
    with create_gateway([stage("stage", model="x")], data_dir=tmp_path) as gateway:
        gateway.generate("x")
        assert (logging.getLogger().handlers, logging.getLogger().level) == before
