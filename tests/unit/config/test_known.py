"""The table of known providers agrees with the registry that serves them."""

from interlingua_gateway.config.known import BY_NAME, KINDS, KNOWN, NATIVE_KINDS
from interlingua_gateway.providers.registry import BY_NAME as ROWS


def test_native_kinds_are_the_rows_of_the_registry() -> None:
    assert set(ROWS) == NATIVE_KINDS
    assert {"litellm", "local", "scripted"} == KINDS - NATIVE_KINDS


def test_keys_are_looked_for_where_the_registry_says() -> None:
    for name, row in ROWS.items():
        keys = [s.variables for s in BY_NAME[name].settings if s.key == ("api_key",)]
        assert keys == ([row.key_variables] if row.key_variables else [])


def test_providers_without_a_url_of_their_own_need_one() -> None:
    without = {name for name, row in ROWS.items() if not row.base_url}
    asked = {
        known.name
        for known in KNOWN
        for setting in known.settings
        if setting.key == ("base_url",) and setting.needed
    }
    assert asked == without


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(KNOWN)
