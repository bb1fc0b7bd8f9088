"""The tree in force is shown as a file that gives the same tree, without a secret."""

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from interlingua_gateway.config.document import read_value
from interlingua_gateway.config.load import load
from interlingua_gateway.config.show import _scalar, lines

CANARY = "sk-canary-0123456789"
FILE = """
server: {listen: ["[::1]:0"], drain: {delay_s: 0}}
providers:
  openai: {headers: {x-token: env:OPENAI_API_KEY, x-team: "a: b"}}
  any: {kind: litellm, params: {deep: {token: env:OPENAI_API_KEY, list: [1, "yes", null]}}}
models:
  - name: m
    targets: [{provider: openai, model: "x y", price: {input_usd_per_million: 0.15}}]
    aliases: ["m#", "1"]
    description: "100% #1"
    capabilities: [tools, chat]
  - {name: x*, targets: [{provider: any, model: x}]}
"""


def test_what_is_shown_loads_to_the_same_tree(tmp_path: Path) -> None:
    environment = {"HOME": "/h", "OPENAI_API_KEY": CANARY}
    first = tmp_path / "first.yaml"
    first.write_text(FILE)
    loaded = load(first, environment)
    text = "\n".join(line for line, _ in lines(loaded))
    second = tmp_path / "second.yaml"
    second.write_text(text)
    assert load(second, environment).config == loaded.config
    assert CANARY not in text


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("server:\n  drain: {delay_s: 0}\n")
    loaded = load(
        file,
        {
            "HOME": "/h",
            "OPENAI_API_KEY": CANARY,
            "INTERLINGUA__SERVER__KEEPALIVE": "{time_s: 5}",
        },
    )
    origins = {line.strip(): origin for line, origin in lines(loaded)}
    assert origins["delay_s: 0"] == f"{file}:2:11"
    assert origins["grace_s: 2"] == "default"
    assert origins["time_s: 5"] == "INTERLINGUA__SERVER__KEEPALIVE"
    assert origins["timeout_s: 20"] == "default"
    assert origins["api_key: env:OPENAI_API_KEY"] == "OPENAI_API_KEY"
    assert origins["server:"] == ""


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
@example("-")
@example("?")
def test_any_text_is_read_back(text: str) -> None:
    assert read_value(_scalar(text)) == text
    assert read_value(f"[{_scalar(text)}]") == [text]
