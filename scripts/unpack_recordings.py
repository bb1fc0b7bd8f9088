"""Unpack the test suites of source archives: FOLDER/<name>-<version>.tar.gz to TARGET/<name>/."""

import sys
import tarfile
from pathlib import Path


def unpack(archive: Path, target: Path) -> None:
    name, _, _version = archive.name.rpartition("-")
    root = target / name.replace("_", "-")
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, path = member.name.partition("/")
            if member.isfile() and path.startswith("tests/"):
                member.name = path
                tar.extract(member, root, filter="data")


def main(folder: str, target: str) -> None:
    for archive in sorted(Path(folder).glob("*.tar.gz")):
        unpack(archive, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
