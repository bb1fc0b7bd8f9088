"""What the repository's texts promise holds: links lead somewhere, nothing names a machine."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from google.rpc import status_pb2

from tests.house.tree import ROOT, files

# Hosts of package registries by the names that such hosts have, and folders of one machine.
HOST = re.compile(
    r"\b(?:crates|deb|files|index|proxy|pypi|registry|repo1?|static)"
    r"\.(?:[a-z0-9-]+\.)*(?:com|dev|io|net|org)\b"
)
MACHINE = re.compile(r"(?<![\w./-])/(?:home/\w|root/|opt/wheels|work/)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
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
