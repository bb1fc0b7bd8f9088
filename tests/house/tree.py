"""The files of the repository as the house rules see them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server" / "interlingua_gateway"
CLIENT = ROOT / "clients" / "python" / "src" / "interlingua"


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def sources(root: Path) -> dict[str, str]:
    """The handwritten Python under `root`: path below it -> text."""
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for path in files()
        if path.is_relative_to(root) and path.suffix == ".py" and "_pb2" not in path.name
    }
