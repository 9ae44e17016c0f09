"""Errors a user can act on: each says what is wrong, where, and what to do next.

A bad *sample* is data, not an error: it becomes a `data.samples.Reject` and a decision row. These classes are for what stops a run.
"""

from __future__ import annotations


class SrdError(Exception):
    """Base of every error that is shown to the user as one line and ends the command with a non-zero exit code.

    `message` says what is wrong and where; `hint` says what to do next.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Keep `hint` when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[SrdError], message: str, hint: str) -> SrdError:
    return kind(message, hint=hint)


class ConfigError(SrdError):
    """Unknown profile, unknown key, or a value out of range."""


class SourceError(SrdError):
    """The source cannot be used at all: missing, empty, or without one usable pair."""


class StorageError(SrdError):
    """A storage answered no for good: wrong credentials, no such bucket, no permission."""


class TransientStorageError(StorageError):
    """A storage failed in a way that may pass (time-out, 5xx): worth a retry."""


class ConflictError(StorageError):
    """An object that must be written once exists already with another digest, or something changed between a look at it and its use."""


class ClaimedError(ConflictError):
    """A sink belongs to another run."""


class PlaceError(SrdError):
    """A file or folder of this machine is refused by the system: no permission, no room, a name that is too long."""


class DecoderError(SrdError):
    """Images cannot be decoded on this machine: the process that does it cannot be started, or does not live."""


class TrainingError(SrdError):
    """A training run that cannot be trusted: no gradient step was taken, or the loss became NaN."""


class VerificationError(SrdError):
    """An output differs from what its manifest says."""

    exit_code = 1
