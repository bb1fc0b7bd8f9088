"""What the repository's texts promise holds: links lead somewhere, nothing names a machine."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from google.rpc import status_pb2

from interlingua_gateway.config.load import load
from tests.house.tree import ROOT, SERVER, files

# Hosts of package registries by the names that such hosts have, and folders of one machine.
HOST = re.compile(
    r"\b(?:crates|deb|files|index|proxy|pypi|registry|repo1?|static)"
    r"\.(?:[a-z0-9-]+\.)*(?:com|dev|io|net|org)\b"
)
MACHINE = re.compile(r"(?<![\w./-])/(?:home/\w|root/|opt/wheels|work/)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
BLOCK = re.compile(r"^```(?P<language>[a-z]+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
METRIC = re.compile(
    r"`((?:interlingua(?!_gateway\b)|grpc_server|gen_ai_(?:client|server))_[a-z_]*[a-z])(?:\{[^`]*\})?`"
)
CODE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        try:
            yield path, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def faults(pattern: re.Pattern[str], path: Path, text: str) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("pattern", [HOST, MACHINE], ids=["registry", "machine"])
def test_nothing_names_a_registry_or_a_machine(pattern: re.Pattern[str]) -> None:
    found = [fault for path, text in texts() for fault in faults(pattern, path, text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (HOST, "https://registry_example_org"),
        (HOST, "crates_io/api"),
        (HOST, "http://deb_example_net bookworm"),
        (MACHINE, "see !root!notes"),
        (MACHINE, "cd !home!me"),
    ],
)
def test_patterns_see_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    # Written so that this file itself names none.
    assert faults(pattern, Path("x"), text.replace("_", ".").replace("!", "/"))


def anchors(text: str) -> set[str]:
    """The fragments that a Markdown text's headings make, in the way of the common forges."""
    found: set[str] = set()
    for match in HEADING.finditer(CODE.sub(lambda m: m[0] if m[0][0:3] != "```" else "", text)):
        slug = re.sub(r"[^\w\- ]", "", match["title"].lower()).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def broken_links(path: Path, text: str) -> list[str]:
    found = []
    for match in LINK.finditer(CODE.sub("", text)):
        target, _, anchor = unquote(match["target"]).partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        goal = path.parent / target if target else path
        whole = goal.exists() and (not anchor or anchor in anchors(goal.read_text("utf-8")))
        if not whole:
            found.append(f"{path}: {match['target']}")
    return found


def test_relative_links_resolve() -> None:
    documents = [(path, text) for path, text in texts() if path.suffix == ".md"]
    assert documents
    found = [fault for path, text in documents for fault in broken_links(path, text)]
    assert not found, "\n".join(found)


def test_broken_links_are_seen(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# One and `two`\n")
    assert broken_links(document, "[a](a.md) [b](#one-and-two) [c](https://example.org/x)") == []
    assert broken_links(document, "`[a](gone.md)`\n```\n[a](gone.md)\n```\n") == []
    assert broken_links(document, "[a](gone.md)")
    assert broken_links(document, "[a](a.md#three)")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a Markdown text in `language`."""
    return [match["code"] for match in BLOCK.finditer(text) if match["language"] == language]


def configurations() -> list[tuple[str, str]]:
    """Each configuration that the documents show, and where."""
    return [
        (f"{path.relative_to(ROOT)}, block {number}", code)
        for path, text in texts()
        if path.suffix == ".md"
        for number, code in enumerate(blocks(text, "yaml"), 1)
    ]


@pytest.mark.parametrize(("place", "code"), configurations(), ids=lambda value: str(value)[:40])
def test_shown_configurations_are_right(place: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(code)
    needed = set(re.findall(r"\benv:([A-Z_]+)", code)) | {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    environment = dict.fromkeys(needed, "0123456789abcdef" * 4)
    found = load(file, {**environment, "HOME": str(tmp_path)})
    assert found.config.models, place


def test_configurations_are_found() -> None:
    places = {place.partition(",")[0] for place, _ in configurations()}
    assert places >= {"README.md", "docs/configuration.md", "docs/operations.md"}
    assert blocks("```yaml\na: 1\n```\n\n```sh\nb\n```\n", "yaml") == ["a: 1\n"]


def test_named_metrics_exist() -> None:
    sources = "".join(text for path, text in texts() if path.is_relative_to(SERVER))
    named = {
        (name, str(path.relative_to(ROOT)))
        for path, text in texts()
        if path.suffix == ".md"
        for name in METRIC.findall(text)
    }
    assert named
    unknown = [(name, place) for name, place in named if f'"{_declared(name)}"' not in sources]
    assert not unknown, unknown


def _declared(metric: str) -> str:
    """The name under which the source declares it."""
    return metric.removesuffix("_total").removesuffix("_bucket").removesuffix("_count")


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text("utf-8")
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"({path.name})" not in index]
    assert missing == ["README.md"]


def test_decisions_bear_the_number_and_the_title_of_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text("utf-8")
    for path in sorted((ROOT / "docs/adr").glob("0*.md")):
        number, _, title = (
            path.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
        )
        assert number == str(int(path.name[:4])), path.name
        assert f"{number}. [{title}]({path.name})" in index


def test_versions_agree_and_the_changelog_knows_them() -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    client = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text("utf-8"))["project"]
    assert server["version"] == client["version"]
    assert f"interlingua=={client['version']}" in server["dependencies"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{server['version']}]" in changelog


def test_copied_protos_are_those_of_the_installed_package() -> None:
    package = Path(status_pb2.__file__).parent
    copies = sorted((ROOT / "third_party/googleapis/google/rpc").glob("*.proto"))
    assert copies
    for copy in copies:
        assert copy.read_bytes() == (package / copy.name).read_bytes(), copy.name
