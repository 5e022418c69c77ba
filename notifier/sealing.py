"""Sealed text: names, phones and messages are stored encrypted, and found again by a keyed hash.

Encryption is Fernet (AES-128-CBC with HMAC-SHA256) of the `cryptography` package, newest key first.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from notifier.errors import NotifierError


class Unreadable(NotifierError):
    """A stored text could not be decrypted: put back the key that sealed it, last in ENCRYPTION_KEYS."""


class Keyring:
    """Seals and opens text; hashes for look-up under a key of its own, which survives rotation."""

    def __init__(self, keys: Sequence[str], load_lookup_key: Callable[[], bytes]) -> None:
        """`keys`: newest first. `load_lookup_key`: asked once, at the first look-up."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._load_lookup_key = load_lookup_key
        self._lookup_key: bytes | None = None

    def seal(self, text: str) -> bytes:
        """The text, encrypted under the newest key."""
        return self._fernet.encrypt(text.encode())

    def open(self, token: bytes) -> str:
        """The text again. Raises Unreadable."""
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise Unreadable from None

    def seal_bytes(self, data: bytes) -> bytes:
        """The bytes, encrypted under the newest key."""
        return self._fernet.encrypt(data)

    def open_bytes(self, token: bytes) -> bytes:
        """The bytes again. Raises Unreadable."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise Unreadable from None

    def rotate(self, token: bytes) -> bytes:
        """The same text under the newest key. Raises Unreadable."""
        try:
            return self._fernet.rotate(token)
        except InvalidToken:
            raise Unreadable from None

    def lookup(self, text: str) -> str:
        """64 hex digits, the same for the same text: by these a phone or an e-mail is found again."""
        if self._lookup_key is None:
            self._lookup_key = self._load_lookup_key()
        return hmac.new(self._lookup_key, text.encode(), hashlib.sha256).hexdigest()


_keyring: Keyring | None = None


def use(keyring: Keyring) -> None:
    """Make this the keyring of the process."""
    global _keyring
    _keyring = keyring


def keyring() -> Keyring:
    """The keyring of the process."""
    if _keyring is None:
        raise RuntimeError("runtime.configure() comes first")
    return _keyring


def lookup(text: str) -> str:
    """The keyed hash by which a phone number or an e-mail address is found."""
    return keyring().lookup(text)
