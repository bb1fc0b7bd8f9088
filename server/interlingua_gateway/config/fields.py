"""Types of single values: addresses, paths, names, seconds and sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WrapSerializer,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from interlingua_gateway.config.secret import (
    Secret,
    Surroundings,
    is_confidential,
    is_reference,
    resolve,
)

Value = TypeVar("Value")

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})\Z")
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


def _address(value: str) -> str:
    if value.startswith("unix:"):
        if len(value) == len("unix:"):
            raise ValueError("a path must follow unix:, such as unix:/run/interlingua.sock")
        return value
    return _host_port(value)


def _host_port(value: str) -> str:
    match = _HOST_PORT.match(value)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("write host:port, such as 127.0.0.1:50051 or [::1]:50051")
    return value


def _comma_separated(value: object) -> object:
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


def _located(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not isinstance(info.context, Surroundings):
        return value
    if not value:
        raise ValueError("a path is needed")
    return info.context.directory / Path(value).expanduser()


def _provider_name(value: str) -> str:
    if not _PROVIDER_NAME.match(value):
        raise ValueError("use lower-case letters, digits, _ and - in the name of a provider")
    return value


def _pattern(value: str) -> str:
    if not value or value != value.strip():
        raise ValueError("a name is needed, without spaces around it")
    if value.count("*") > 1:
        raise ValueError("at most one * may stand in a name")
    return value


def _base_url(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value):
        raise ValueError("write a URL such as https://host/v1")
    if re.match(r"https?://[^/\s]*@", value):
        raise ValueError("credentials do not belong into a URL; use api_key or headers")
    return value.rstrip("/")


def _frozen(value: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType(dict(value))


def _resolved(value: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
    """`value` with each reference in it replaced by its Secret, and mappings frozen."""
    problems: list[InitErrorDetails] = []
    resolved = _walk(value, (), info, problems)
    if problems:
        raise ValidationError.from_exception_data("references", problems)
    return MappingProxyType(resolved)


def _walk(
    value: Any, key: tuple[str | int, ...], info: ValidationInfo, problems: list[InitErrorDetails]
) -> Any:
    if isinstance(value, Mapping):
        return {name: _walk(item, (*key, name), info, problems) for name, item in value.items()}
    if isinstance(value, list):
        return tuple(_walk(item, (*key, i), info, problems) for i, item in enumerate(value))
    if not isinstance(value, str) or not isinstance(info.context, Surroundings):
        return value
    if is_reference(value) or is_confidential(str(key[-1])):
        try:
            return resolve(value, info.context)
        except ValueError as error:
            problem = PydanticCustomError("secret", "{reason}", {"reason": str(error)})
            problems.append(InitErrorDetails(type=problem, loc=key, input=None))
    return value


def _dumped(value: Any) -> Any:
    """`value` with its secrets as references and its mappings as plain ones."""
    if isinstance(value, Mapping):
        return {name: _dumped(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_dumped(item) for item in value]
    return value.reference if isinstance(value, Secret) else value


def _texts(value: Mapping[str, Any]) -> Mapping[str, str | Secret]:
    wrong = [
        InitErrorDetails(
            type=PydanticCustomError("text", "text is needed; put it into quotation marks"),
            loc=(name,),
            input=None,
        )
        for name, text in value.items()
        if not isinstance(text, str | Secret)
    ]
    if wrong:
        raise ValidationError.from_exception_data("headers", wrong)
    return value


Address = Annotated[str, AfterValidator(_address)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_comma_separated), Field(min_length=1)]
LocatedPath = Annotated[Path, BeforeValidator(_located)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
NamePattern = Annotated[str, AfterValidator(_pattern)]
Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
ByName = Annotated[
    Mapping[Annotated[str, AfterValidator(_provider_name)], Value],
    AfterValidator(_frozen),
    WrapSerializer(lambda value, dump: dump(dict(value))),
]
References = Annotated[
    Mapping[str, Any], AfterValidator(_resolved), PlainSerializer(_dumped, return_type=dict)
]
"""Free keys: `env:` and `file:` values anywhere in it become Secrets; keys whose name says that
they are secret must hold one."""
Headers = Annotated[References, AfterValidator(_texts)]
