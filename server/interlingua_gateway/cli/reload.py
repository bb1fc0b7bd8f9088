"""`interlingua config reload`: have a gateway put its configuration as it is now in force."""

from __future__ import annotations

from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import stderr
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write


def run(gateway: Gateway, *, dry_run: bool) -> None:
    """Have a gateway read its configuration again, and write what is different."""
    with connected(gateway) as client:
        answer = client.reload_config(dry_run=dry_run)
    for change in answer.changes:
        write(f"{change}\n")
    if not answer.changes:
        said = "nothing is different"
    elif dry_run:
        said = "this would change; nothing has"
    else:
        said = "this has changed"
    stderr().print(f"{said}; in force: {answer.configuration_digest}", markup=False)
