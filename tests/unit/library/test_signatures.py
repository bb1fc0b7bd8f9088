"""Code moves between the library and the Python client: what both have is called alike."""

import inspect

import pytest

import interlingua
import interlingua_gateway
from interlingua import requests
from interlingua_gateway.library import options

METHODS = ("generate", "stream", "embed", "batch", "models", "health")
FUNCTIONS = ("generate_text", "stream_text", "generate_embeddings", "batch_generate")
OPTIONS = ("CallOptions", "DeliveryOptions", "GenerateOptions", "EmbedOptions")
OF_THE_CLIENT = {"rpc_metadata"}
OF_THE_LIBRARY = {"tenant_id"}


def parameters(function: object) -> list[tuple[str, object, object]]:
    """Name, kind and default of each, without who is called."""
    found = list(inspect.signature(function).parameters.values())[1:]
    return [(one.name, one.kind, one.default) for one in found]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (interlingua_gateway.Gateway, interlingua.Client),
        (interlingua_gateway.AsyncGateway, interlingua.AsyncClient),
    ],
)
def test_methods(ours, theirs, name):
    assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    ours, theirs = getattr(interlingua_gateway, name), getattr(interlingua, name)
    assert parameters(ours) == parameters(theirs)


@pytest.mark.parametrize(
    "name", ["CallOptions", "DeliveryOptions", "GenerateOptions", "EmbedOptions"]
)
def test_options(name):
    ours, theirs = getattr(options, name), getattr(requests, name)
    assert ours.__optional_keys__ - OF_THE_LIBRARY == theirs.__optional_keys__ - OF_THE_CLIENT


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (interlingua_gateway.GenerateResult, interlingua.GenerateResult),
        (interlingua_gateway.EmbedResult, interlingua.EmbedResult),
        (interlingua_gateway.Stream, interlingua.Stream),
        (interlingua_gateway.AsyncStream, interlingua.AsyncStream),
    ],
)
def test_results(ours, theirs):
    wanted = {name for name in dir(theirs) if not name.startswith("_")} - {"raw", "partial"}
    assert wanted <= set(dir(ours))
