"""Warnings of litellm and of what it stands on, which tests must let pass.

It silences the first ones itself when it is imported, but pytest brings them back; the last one
comes with each embedding that an upstream sends as base64.
"""

OF_THE_LIBRARY = (
    "ignore:.*`ReadOnly` qualifier.*:UserWarning",
    "ignore::DeprecationWarning:litellm",
    "ignore::DeprecationWarning:pydantic",
    "ignore:Pydantic serializer warnings:UserWarning",
)
