"""Application entity titles: what one may look like. Imports nothing slow."""

import re

from unmetal.errors import InputError

AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""1 to 16 printable ASCII characters without a backslash and without spaces at the ends (PS3.5
section 6.2, value representation AE)."""


def check_ae_title(title: str) -> str:
    """Return the title; raises `InputError` if it cannot be one."""
    if not AE_TITLE.fullmatch(title):
        raise InputError(f"{title!r}: not an AE title: give 1 to 16 ASCII characters")
    return title
