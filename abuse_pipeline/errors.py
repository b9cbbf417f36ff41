"""Every error this project raises on purpose.

::

    AbuseError
    ├── ConfigurationError        the operator must change a setting or a file          exit 2
    ├── ReportError               this one report cannot be handled: it goes to staff
    │   ├── MalformedMessage      no reader makes a message of these bytes
    │   ├── MalformedReport       a message, but its report breaks its standard
    │   └── LimitExceeded         larger, deeper or slower than the configured cap
    ├── TransientError            the same call may work later: it is tried again       exit 1
    │   ├── StoreUnavailable      the database or its disk does not take it now
    │   │   └── StoreRefused      the database is there, but does not take this: trying again helps only after a race
    │   ├── LookupUnavailable     a source of facts does not answer now
    │   └── LeaseLost             another worker took this submission over
    ├── PluginError               a parser or enricher broke its contract: it is named and isolated
    └── RequestError              what a person asked of the store cannot be done          exit 1
        ├── UnknownRecord         no submission, case or message has this id
        └── WrongState            its state does not allow it

Each says *what* went wrong, *where*, and what to *do*. None may carry a reporter's identity: its text goes to logs.
"""

from __future__ import annotations


class AbuseError(Exception):
    """Base of all. ``what`` is one sentence, ``where`` names file, key, part or host, ``todo`` the next step."""

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.todo}" if self.todo else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.todo)


def _rebuild(kind: type[AbuseError], what: str, where: str, todo: str) -> AbuseError:
    """Carry an error over a process boundary: keyword-only arguments do not pickle by themselves."""
    return kind(what, where=where, todo=todo)


class ConfigurationError(AbuseError):
    """The operator must change a setting or a file before the desk can work."""


class ReportError(AbuseError):
    """This report cannot be handled by a program; it is parked for staff with this reason."""


class MalformedMessage(ReportError):
    """No reader makes a message of these bytes."""


class MalformedReport(ReportError):
    """A readable message whose report breaks the standard that it names."""


class LimitExceeded(ReportError):
    """Larger, deeper or slower than the configured cap allows."""


class TransientError(AbuseError):
    """The same call may work later."""


class StoreUnavailable(TransientError):
    """The database, or the disk below it, does not take this now."""


class StoreRefused(StoreUnavailable):
    """The database is there but refuses what it was given, so that may be at fault and not the database."""


class LookupUnavailable(TransientError):
    """A source of facts does not answer now."""


class LeaseLost(TransientError):
    """Another worker took this submission over; what this one did is void."""


class PluginError(AbuseError):
    """A parser or an enricher broke its contract."""


class RequestError(AbuseError):
    """What a person asked of the store cannot be done."""


class UnknownRecord(RequestError):
    """No submission, case or message has this id."""


class WrongState(RequestError):
    """The state of the case or message does not allow what was asked."""
