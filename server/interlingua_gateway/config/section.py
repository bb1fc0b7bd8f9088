"""The common form of every section of the tree."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the tree: frozen, and no key is taken that it does not have.

    The text under each field describes it in the JSON schema. Validators are built at first use.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        defer_build=True,
    )


def absent() -> Any:
    """What stands for a section that is not given: like an empty one in a file, it becomes the
    section with its defaults, by the validator of the whole tree. To call the section itself would
    build a validator for it alone; that takes 1 ms for each."""
    return {}


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field's type holds: itself, an option, an item or a value of a map."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (section_in(part) for part in get_args(annotation))
    return next((section for section in found if section is not None), None)
