"""What stands in the tree where the file and the environment say nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from interlingua_gateway.config.deployments import LocalConfig
from interlingua_gateway.config.document import as_list, as_mapping
from interlingua_gateway.config.known import BY_NAME, KINDS, KNOWN, KnownProvider, Setting
from interlingua_gateway.config.problems import Key, Origin

LOCAL: Final = "local"
CONTEXT_TOKENS: Final[int] = LocalConfig.model_fields["context_tokens"].default
EMBEDDED: Final = "smollm2"
EMBEDDED_WEIGHTS: Final = "smollm2-135m-instruct"


def fill(
    values: dict[str, Any], origins: dict[Key, Origin], environment: Mapping[str, str]
) -> None:
    """Complete `values` in place; `origins` learns which variables it took.

    Entries of `providers` get their kind and key by their name. Without `providers`, there is the
    embedded model, and each known provider whose variables are set. Without `models`, each
    provider serves all of its models under `provider/*`. Parts that have the wrong form are left
    alone: they are reported later.
    """
    if "data_dir" not in values:
        values["data_dir"] = str(data_directory(environment))
    implicit = values.get("providers") is None
    if implicit:
        values["providers"] = _found(origins, environment)
    for name, entry in () if implicit else tuple(as_mapping(values["providers"]).items()):
        completed = {} if entry is None else entry
        values["providers"][name] = completed
        if isinstance(completed, dict):
            _complete(name, completed, origins, environment)
    if values.get("models") is None:
        values["models"] = models_of(values["providers"])
    elif implicit:
        named = _named_providers(values["models"])
        values["providers"] = {
            name: entry for name, entry in values["providers"].items() if name in named
        }


def data_directory(environment: Mapping[str, str]) -> Path:
    """The user's directory for the gateway's state, by the platform's convention."""
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "interlingua"
    given = environment.get("XDG_DATA_HOME", "")
    parent = Path(given) if given.startswith("/") else home / ".local" / "share"
    return parent / "interlingua"


def _found(origins: dict[Key, Origin], environment: Mapping[str, str]) -> dict[str, Any]:
    providers: dict[str, Any] = {LOCAL: {"kind": LOCAL}}
    for known in KNOWN:
        if known.settings and all(
            _variable(setting, environment) for setting in known.settings if setting.needed
        ):
            providers[known.name] = {"kind": known.kind}
            _take(known, known.name, providers[known.name], origins, environment)
    return providers


def _complete(
    name: str, entry: dict[str, Any], origins: dict[Key, Origin], environment: Mapping[str, str]
) -> None:
    named = BY_NAME.get(name)
    if entry.get("kind") is None and (named is not None or name in KINDS):
        entry["kind"] = named.kind if named else name
    row = row_of(name, entry.get("kind"))
    if row is not None and entry.get("base_url") is None:
        _take(row, name, entry, origins, environment)


def row_of(name: str, kind: object) -> KnownProvider | None:
    """The known provider that an entry `name` of `kind` is; its name decides between litellm's."""
    row = BY_NAME.get(name if kind == "litellm" else str(kind))
    return row if row is not None and row.kind == kind else None


def _take(
    known: KnownProvider,
    name: str,
    entry: dict[str, Any],
    origins: dict[Key, Origin],
    environment: Mapping[str, str],
) -> None:
    """Settings that `entry` does not give, from the environment."""
    for setting in known.settings:
        variable = _variable(setting, environment)
        if variable is None:
            continue
        section: Any = entry
        for part in setting.key[:-1]:
            section = section.setdefault(part, {}) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get(setting.key[-1]) is None:
            value = f"env:{variable}" if setting.secret else environment[variable].strip()
            section[setting.key[-1]] = value
            origins["providers", name, *setting.key] = Origin(variable=variable)


def _variable(setting: Setting, environment: Mapping[str, str]) -> str | None:
    return next((name for name in setting.variables if environment.get(name, "").strip()), None)


def models_of(providers: Any) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = []
    for name, entry in as_mapping(providers).items():
        kind = as_mapping(entry).get("kind")
        if kind == LOCAL:
            models.append(_local_model(name, as_mapping(entry.get("local"))))
        else:
            row = row_of(name, kind)
            prefix = row.prefix if row else ""
            models.append(
                {"name": f"{name}/*", "targets": [{"provider": name, "model": f"{prefix}*"}]}
            )
    for model in [model for model in models if "*" not in model["name"]][:1]:
        model["aliases"] = ["default"]
    return models


def _local_model(provider: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The packaged model, or the file that the entry names."""
    packaged = settings.get("model_path") is None
    model: dict[str, Any] = {
        "name": EMBEDDED if packaged and provider == LOCAL else provider,
        "targets": [
            {
                "provider": provider,
                "model": EMBEDDED_WEIGHTS if packaged else Path(str(settings["model_path"])).stem,
            }
        ],
        "capabilities": ["chat", "embeddings", "json_object", "json_schema", "logprobs"],
    }
    model["context_window_tokens"] = settings.get("context_tokens", CONTEXT_TOKENS)
    if not packaged:
        model["capabilities"].append("tools")
    else:
        model["description"] = "SmolLM2 135M Instruct, on this machine's processor."
        model["embedding_dimensions"] = 576
    return model


def _named_providers(models: Any) -> set[str]:
    targets = (
        as_mapping(target)
        for model in as_list(models)
        for target in as_list(as_mapping(model).get("targets"))
    )
    return {str(target.get("provider")) for target in targets}
