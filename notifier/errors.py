"""What this service refuses or cannot find. Each docstring is the message unless a better one is given."""

from collections.abc import Mapping


class NotifierError(Exception):
    """This did not work."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class Refused(NotifierError):
    """The rules do not allow this."""  # 409, shown to the person who asked


class Missing(NotifierError):
    """There is no such thing here."""  # 404


class Invalid(NotifierError):
    """Some fields are wrong."""  # 422

    def __init__(self, fields: Mapping[str, str], message: str = "") -> None:
        """`fields`: name of the field -> what is wrong with it and how to mend it."""
        super().__init__(message or "; ".join(f"{name}: {reason}" for name, reason in fields.items()))
        self.fields = dict(fields)


class Misconfigured(NotifierError):
    """The settings are wrong."""
