"""Errors of the service: the class says who acts next.

* ServiceError
  x Unavailable        a database or a network does not answer now: wait and try again
  x NotFound           there is no such record: the caller asked for the wrong thing
  x Conflict           the record is in a state that forbids this: read it again, then decide
  x Refused            the input is wrong: the caller mends it
  x Misconfigured      a setting, file or model is wrong: the administrator mends it
  x SendError          a channel could not send
    - RetryLater       proven not sent, may be tried again after a pause
    - NeedsOperator    proven not sent, a person has to act (token, rights)
    - Rejected         proven not sent and never will be in this form
    - OutcomeUnknown   it may or may not have been sent: reconcile, never repeat
"""

from __future__ import annotations

from datetime import timedelta


class ServiceError(Exception):
    """Every error the service raises on purpose; the text is Russian and may be shown to a person."""


class Unavailable(ServiceError):
    """A database or a network does not answer; nothing was lost, the stage waits and tries again."""


class NotFound(ServiceError):
    """There is no such record."""


class Conflict(ServiceError):
    """The record's state forbids this, or somebody else changed it first."""


class Refused(ServiceError):
    """The input is wrong. `field` names the offending field where there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Misconfigured(ServiceError):
    """A setting, a file or a model is wrong. `remedy` says what the administrator does about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.remedy = remedy


class SendError(ServiceError):
    """A channel could not send. `code` is the network's own error code, for the audit."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class RetryLater(SendError):
    """Proven not sent; may be repeated once `after` has passed."""

    def __init__(self, message: str, *, after: timedelta, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.after = after


class NeedsOperator(SendError):
    """Proven not sent; a person has to act first (new token, rights, captcha)."""


class Rejected(SendError):
    """Proven not sent; the network will never take it in this form."""


class OutcomeUnknown(SendError):
    """The request left and no clear answer came; only reading the page tells what happened."""
