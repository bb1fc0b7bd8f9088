"""What is there without a word of configuration, and what keys in the environment add."""

import sys
from pathlib import Path

import pytest

from interlingua_gateway.config.defaults import data_directory
from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import Origin
from interlingua_gateway.config.tree import Config

HOME = {"HOME": "/me"}


def _named(config: Config) -> dict[str, list[str]]:
    return {model.name: [t.deployment_name for t in model.targets] for model in config.models}


def test_with_nothing_there_is_the_embedded_model() -> None:
    loaded = load(None, HOME)
    config = loaded.config
    assert config.server.listen == ("127.0.0.1:50051",)
    assert config.http.listen == "127.0.0.1:9464"
    assert {name: entry.kind for name, entry in config.providers.items()} == {"local": "local"}
    (model,) = config.models
    assert (model.name, model.aliases) == ("smollm2", ("default",))
    assert model.embedding_dimensions == 576
    assert model.context_window_tokens == config.providers["local"].local.context_tokens
    assert loaded.file is None
    assert loaded.origins == {}


@pytest.mark.parametrize(
    ("environment", "provider", "kind", "deployment"),
    [
        ({"OPENAI_API_KEY": "k"}, "openai", "openai", "openai/*"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "anthropic", "anthropic/*"),
        ({"GOOGLE_API_KEY": "k"}, "gemini", "litellm", "gemini/gemini/*"),
        ({"GROQ_API_KEY": "k"}, "groq", "groq", "groq/*"),
        ({"AZURE_API_KEY": "k", "AZURE_API_BASE": "https://a"}, "azure", "azure", "azure/*"),
        (
            {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "k", "AWS_REGION": "eu-west-1"},
            "bedrock",
            "litellm",
            "bedrock/bedrock/*",
        ),
    ],
)
def test_a_known_key_makes_its_provider_usable(
    environment: dict[str, str], provider: str, kind: str, deployment: str
) -> None:
    config = load(None, HOME | environment).config
    assert list(config.providers) == ["local", provider]
    assert config.providers[provider].kind == kind
    assert _named(config)[f"{provider}/*"] == [deployment]


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENAI_API_KEY": " "},
        {"AZURE_API_KEY": "k"},
        {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "k"},
    ],
)
def test_half_of_what_is_needed_is_nothing(environment: dict[str, str]) -> None:
    assert list(load(None, HOME | environment).config.providers) == ["local"]


def test_settings_are_taken_with_their_origin() -> None:
    environment = {"AZURE_API_KEY": "k", "AZURE_API_BASE": "https://a/", "AZURE_API_VERSION": "v"}
    loaded = load(None, HOME | environment)
    azure = loaded.config.providers["azure"]
    assert azure.api_key is not None
    assert azure.api_key.reveal() == "k"
    assert (azure.base_url, azure.api_version) == ("https://a", "v")
    assert loaded.origins["providers", "azure", "base_url"] == Origin(variable="AZURE_API_BASE")


def test_named_models_keep_only_the_providers_they_name(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("models: [{name: m, targets: [{provider: groq, model: x}]}]")
    environment = HOME | {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
    assert list(load(file, environment).config.providers) == ["groq"]


def test_named_providers_serve_all_their_models(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "providers:\n"
        "  mine: {kind: local, local: {model_path: some.gguf, context_tokens: 512}}\n"
        "  bedrock:\n"
        "  any: {kind: litellm}\n"
        "  vllm: {base_url: http://gpu/v1}\n"
    )
    config = load(file, HOME | {"OPENAI_API_KEY": "k"}).config
    assert _named(config) == {
        "mine": ["mine/some"],
        "bedrock/*": ["bedrock/bedrock/*"],
        "any/*": ["any/*"],
        "vllm/*": ["vllm/*"],
    }
    assert config.models[0].aliases == ("default",)
    assert config.models[0].context_window_tokens == 512
    assert config.models[0].embedding_dimensions is None


def test_a_key_is_never_sent_to_an_address_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("providers: {mine: {kind: openai, base_url: http://elsewhere/v1}, openai: }")
    providers = load(file, HOME | {"OPENAI_API_KEY": "k"}).config.providers
    assert providers["mine"].api_key is None
    assert providers["openai"].api_key is not None


def test_an_entry_of_a_known_kind_takes_its_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("providers: {first: {kind: groq}, second: {kind: groq, api_key: env:B}}")
    loaded = load(file, HOME | {"GROQ_API_KEY": "a", "B": "b"})
    keys = [entry.api_key for entry in loaded.config.providers.values()]
    assert [key.reveal() for key in keys if key] == ["a", "b"]
    assert loaded.origins["providers", "first", "api_key"] == Origin(variable="GROQ_API_KEY")


def test_data_directory_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert data_directory(HOME) == Path("/me/.local/share/interlingua")
    assert data_directory({"XDG_DATA_HOME": "/d"}) == Path("/d/interlingua")
    assert data_directory(HOME | {"XDG_DATA_HOME": "not/absolute"}).is_relative_to("/me")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_directory(HOME) == Path("/me/Library/Application Support/interlingua")
