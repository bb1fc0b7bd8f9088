"""Takes secrets out of texts that come from elsewhere, by construction and by shape."""

from __future__ import annotations

import re

MASK = "[redacted]"

_SHAPES = re.compile(
    r"""(?ix)
    \b(?:sk|pk|rk|xai|gsk|hf|il|key|pplx|r8|fw)[-_][A-Za-z0-9_\-]{12,}   # provider keys by prefix
    | \bAIza[0-9A-Za-z_\-]{20,}                                       # Google API keys
    | \b(?:AKIA|ASIA)[0-9A-Z]{12,}                                    # AWS access key ids
    | \beyJ[A-Za-z0-9_\-]{8,4096}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*       # JSON web tokens
    | (?<=bearer\ )[^\s"',]{8,}
    | (?<=[?&]key=)[^\s&"']+
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                                 # user:password in a URL
    """
)


class Redactor:
    """Masks the configured secrets wherever they stand, and whatever has the shape of a key."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: tuple[str, ...]) -> None:
        """From now on mask `secrets` too."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= 4)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str, limit: int = 300) -> str:
        """`text` without secrets and control characters, cut to `limit` characters."""
        text = " ".join(self.keep_form(text).split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def keep_form(self, text: str) -> str:
        """`text` without secrets, otherwise as it is."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _SHAPES.sub(MASK, text)
