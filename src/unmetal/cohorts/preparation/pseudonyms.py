"""Pseudonyms: keyed hashes of patients, files and UIDs.

A plain hash of a patient's number can be looked up by hashing all numbers; one with a key cannot
(HMAC, RFC 2104). The key is never in the cohort.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from unmetal.errors import InputError
from unmetal.files.staging import replacing

LENGTH = 16
"""Hexadecimal digits of a name: 64 bits, so that a million images have no two alike."""


@dataclass(frozen=True)
class Key:
    """Makes names; the same ones whenever it is the same key."""

    secret: bytes

    @classmethod
    def new(cls) -> Key:
        """A random key."""
        return cls(secrets.token_bytes(32))

    def name(self, kind: str, *original: str) -> str:
        """The name of a patient, a file, ...; equal texts of two kinds have different names."""
        text = "\0".join((kind, *original)).encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, text, sha256).hexdigest()[:LENGTH]

    def save(self, path: Path, files: Mapping[str, str] | None = None) -> None:
        """Write the key, and which file each name stands for, for the owner's eyes only."""
        text = json.dumps({"key": self.secret.hex(), "files": dict(files or {})}, indent=1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, sync=True, mode=0o600) as partial:
                partial.write_text(text + "\n")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Key:
        """Read what `save` wrote; raises `InputError` for anything else."""
        try:
            secret = bytes.fromhex(json.loads(path.read_text())["key"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: not a key of `unmetal prepare`: give a file that it made, or a new name"
            ) from error
        return cls(secret)
