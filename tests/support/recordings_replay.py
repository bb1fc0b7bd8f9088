"""An HTTP server that answers with recorded responses, in the order of their recording."""

from __future__ import annotations

from urllib.parse import unquote

from tests.support.recordings import Recorded
from tests.support.upstream import Upstream, Visit


class Replay(Upstream):
    """`expect` what comes next; each request must have the path of the recorded one.

    A request that does not is answered with 599 and kept in `strays`.
    """

    def __init__(self) -> None:
        super().__init__(self._replay)
        self.strays: list[str] = []
        self._next: list[Recorded] = []

    def expect(self, *recorded: Recorded) -> None:
        """These are asked for next; what was left from before is forgotten."""
        self._next = list(recorded)
        self.strays.clear()
        self.visits.clear()

    @property
    def left(self) -> int:
        """How many have not been asked for."""
        return len(self._next)

    async def _replay(self, visit: Visit) -> bool:
        path = unquote(visit.path.partition("?")[0])
        if not self._next or path != self._next[0].path:
            self.strays.append(f"{visit.method} {visit.path}")
            await visit.send(b"HTTP/1.1 599 Stray\r\ncontent-length: 0\r\n\r\n")
            return True
        accepts_gzip = "gzip" in visit.headers.get("accept-encoding", "")
        await visit.send(self._next.pop(0).response(accepts_gzip=accepts_gzip))
        return True
