"""The key that signs and seals: where a machine keeps one it made itself, and what is no key at all."""

import os
import secrets
from pathlib import Path

MIN_LENGTH = 32  # characters (ASVS 11.2.3)
PLACEHOLDERS = ("change-me", "change_me", "changeme", "placeholder", "your-secret", "your_secret")


def is_placeholder(key: str) -> bool:
    """Whether a key was left as an example has it (ASVS 13.2.3)."""
    return any(word in key.lower() for word in PLACEHOLDERS)


def kept_secret_key(instance: Path) -> str:
    """The key in `instance`/secret_key, made there with mode 600 the first time; two starts at once agree on one.

    Raises ValueError, in one line, where it cannot be kept or read, where others can read it, or where it is damaged.
    """
    file = instance / "secret_key"
    try:
        if not file.exists():
            _make(file)
        open_to_others = file.stat().st_mode & 0o077 != 0
        key = file.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"INSTANCE_PATH: no secret_key can be kept there ({type(error).__name__})") from None
    if open_to_others:
        # Not mended in silence: whoever could read it until now may have done so.
        raise ValueError(
            "INSTANCE_PATH: others can read the secret_key there; chmod 600 it, or delete it for a new one"
        )
    if len(key) < MIN_LENGTH:
        raise ValueError("INSTANCE_PATH: the secret_key there is damaged; delete it for a new one")
    return key


def _make(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".secret_key.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_urlsafe(48))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)  # fails where another start was quicker: its key is then the key
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
