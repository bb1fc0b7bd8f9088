"""Images and documents in the form of the Messages API."""

from __future__ import annotations

import binascii
from typing import Final, TypeAlias

from interlingua_gateway.core.types import Media, MediaKind
from interlingua_gateway.providers.form import Form

Fields: TypeAlias = dict[str, object]

IMAGES: Final = ("image/gif", "image/jpeg", "image/png", "image/webp")
PDF: Final = "application/pdf"


def media_block(media: Media, at: str, form: Form) -> Fields | None:
    """The block for `media`, or None where it cannot be sent; `at` is the caller's field.

    Raises:
        CallerError: it cannot be sent and the caller is not lenient.
    """
    if media.kind is MediaKind.IMAGE:
        if media.detail in ("low", "high"):
            form.refuse(f"{at}.detail", "this API decides itself how closely it looks")
        source = _image(media, at, form)
        return None if source is None else {"type": "image", "source": source}
    if media.kind is not MediaKind.FILE:
        form.refuse(at, f"this API takes no {media.kind}")
        return None
    source = _document(media, at, form)
    if source is None:
        return None
    document: Fields = {"type": "document", "source": source}
    if media.name:
        document["title"] = media.name
    return document


def _image(media: Media, at: str, form: Form) -> Fields | None:
    if media.uri is not None:
        return _linked(media.uri)
    mime_type = _plain(media.mime_type)
    if mime_type == "image/jpg":
        mime_type = "image/jpeg"
    if mime_type not in IMAGES:
        form.refuse(f"{at}.mime_type", f"must be one of {', '.join(IMAGES)}")
        return None
    return {"type": "base64", "media_type": mime_type, "data": _base64(media)}


def _document(media: Media, at: str, form: Form) -> Fields | None:
    """A PDF by bytes or link, a text by its characters."""
    mime_type = _plain(media.mime_type)
    if media.uri is not None:
        if mime_type in ("", PDF):
            return _linked(media.uri)
        form.refuse(f"{at}.uri", "this API fetches only PDF documents; send the bytes")
        return None
    if mime_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": _base64(media)}
    if not mime_type.startswith("text/"):
        form.refuse(f"{at}.mime_type", f"must be {PDF} or text/...")
        return None
    try:
        text = (media.data or b"").decode()
    except UnicodeDecodeError:
        form.refuse(f"{at}.data", "a text must be UTF-8")
        return None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _linked(uri: str) -> Fields:
    """A link, or what a `data:` URI holds itself (RFC 2397)."""
    head, mark, data = uri.partition(";base64,")
    if mark and head.startswith("data:"):
        return {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "url", "url": uri}


def _plain(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()


def _base64(media: Media) -> str:
    return binascii.b2a_base64(media.data or b"", newline=False).decode("ascii")
