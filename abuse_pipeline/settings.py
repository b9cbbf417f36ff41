"""The configuration: one TOML file, checked in full before anything starts.

Every key has its meaning in `config/abuse.toml`. A wrong file raises ConfigurationError naming file, key, what is
wrong and, for an unknown key, its nearest neighbour. Paths are relative to the file and absolute afterwards.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.model import Language

_LONGEST_SECONDS = 36_500 * 86_400  # a hundred years: what is subtracted from a date must leave a date
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """``"90s"``, ``"15m"``, ``"2h"``, ``"180d"``. Raises ValueError on anything else."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,9})\s*([smhd])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('write a duration as a number and s, m, h or d, like "2h"')
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError("the duration is too long: at most 36500d")
    return timedelta(seconds=seconds)


def _network(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('write a network as text, like "198.51.100.0/24"')
    return ip_network(value, strict=True)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _mailbox(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not (at and local and re.fullmatch(r"[A-Za-z0-9.-]+", domain)) or re.search(r"[\s<>,\"]", value):
        raise ValueError("write one mail address, like abuse@hosting.example.jp")
    return value


Mailbox = Annotated[str, BeforeValidator(lambda value: _mailbox(value) if isinstance(value, str) else value)]


class Provider(_Section):
    """Who we are, as notices and replies say it."""

    name: str = "Example Hosting"
    abuse_address: Mailbox = "abuse@hosting.example.jp"
    timezone: str = "Asia/Tokyo"
    languages: tuple[Language, ...] = ("ja", "en")
    postal_address: str | None = None

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a zone of the IANA database; Asia/Tokyo is") from None
        return value

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.strip() or re.search(r"[\x00-\x1f\x7f]", value):
            raise ValueError("must be one line of text")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class StoreSettings(_Section):
    url: str = "sqlite:///var/abuse.db"
    keys: Path = Path("var/keys")

    @field_validator("url")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if not re.match(r"(sqlite:///.|postgresql\+psycopg://)", value):
            raise ValueError('must begin with "sqlite:///" or "postgresql+psycopg://"')
        return value


class SmtpIntake(_Section):
    listen: str = "127.0.0.1:8025"
    recipients: tuple[Mailbox, ...] = Field(min_length=1)
    max_message_bytes: Count = 31_457_280
    max_connections: Count = 200
    idle_timeout: Duration = timedelta(minutes=5)

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})", value)
        if found is None or not int(found[2]) <= 65535:
            raise ValueError('write host and port, like "127.0.0.1:8025" or "[::1]:8025"')
        return value

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class FolderIntake(_Section):
    path: Path
    rescan: Duration = timedelta(seconds=10)
    settle: Duration = timedelta(seconds=2)


class Intake(_Section):
    smtp: SmtpIntake | None = None
    folder: FolderIntake | None = None


class NetworkFiles(_Section):
    networks: Path | None = None
    group_companies: Path | None = None
    customers: Path | None = None
    assignments: Path | None = None


class TraceSettings(_Section):
    own_relays: tuple[Network, ...] = ()
    relays: Path | None = None
    max_skew: Duration = timedelta(hours=2)
    learn_after: Annotated[int, Field(ge=0)] = 5
    verify_signatures: bool = True


class FeedSettings(_Section):
    """A reporter whose own records are taken as they stand. sender: a mail address or a domain."""

    sender: str
    networks: tuple[Network, ...] = ()


class TriageSettings(_Section):
    max_age: Duration = timedelta(days=180)
    feeds: tuple[FeedSettings, ...] = ()


class NoticeSettings(_Section):
    approval: Literal["automatic", "staff"] = "automatic"
    time_precision: Literal["minute", "hour", "day"] = "hour"
    minimum_reporters: Count = 5
    delay: Duration = timedelta(hours=1)


class ReplySettings(_Section):
    delay: Duration = timedelta(minutes=5)
    per_sender_per_day: Count = 5


class MailLimits(_Section):
    """Caps on what one message may cost; beyond them it goes to staff."""

    max_depth: Count = 12
    max_parts: Count = 500
    max_header_bytes: Count = 1_048_576
    max_decoded_bytes: Count = 67_108_864


class ArchiveLimits(_Section):
    max_entries: Count = 200_000
    max_bytes: Count = 10_737_418_240
    max_ratio: Count = 200


class WorkerSettings(_Section):
    processes: Annotated[int, Field(ge=0)] = 0
    batch: Count = 20
    lease: Duration = timedelta(minutes=2)
    report_timeout: Duration = timedelta(seconds=60)
    attempts: Count = 3
    max_memory_bytes: Annotated[int, Field(ge=536_870_912)] = 2_147_483_648


class EnrichSettings(_Section):
    offline: bool = False
    nameservers: tuple[str, ...] = ()
    rdap_url: str | None = None
    timeout: Duration = timedelta(seconds=5)
    concurrency: Count = 20
    keep: Duration = timedelta(days=1)
    keep_failures: Duration = timedelta(hours=1)


class PluginSettings(_Section):
    folder: Path | None = None


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(_Section):
    """The whole configuration. `file` is where it was read from."""

    file: Path
    provider: Provider = Provider()
    store: StoreSettings = StoreSettings()
    intake: Intake = Intake()
    networks: NetworkFiles = NetworkFiles()
    trace: TraceSettings = TraceSettings()
    triage: TriageSettings = TriageSettings()
    notices: NoticeSettings = NoticeSettings()
    replies: ReplySettings = ReplySettings()
    mail: MailLimits = MailLimits()
    archives: ArchiveLimits = ArchiveLimits()
    workers: WorkerSettings = WorkerSettings()
    enrich: EnrichSettings = EnrichSettings()
    plugins: PluginSettings = PluginSettings()
    log: LogSettings = LogSettings()


def load_settings(file: Path) -> Settings:
    """Read and check *file*.

    Raises ConfigurationError with every problem found, one a line.
    """
    return parse_settings(_read(file), file)


def parse_settings(text: str, file: Path) -> Settings:
    """Check the text of a configuration that stands in *file*; the paths in it are relative to that file's folder."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not valid TOML: {error}", where=str(file)) from None
    if "file" in document:
        raise ConfigurationError(_unknown_key(("file",)), where=f"{file}: file")
    try:
        settings = Settings.model_validate({**document, "file": file.resolve()})
    except ValidationError as error:
        problems = [_describe(file, dict(detail)) for detail in error.errors()]
        raise ConfigurationError("\n".join(problems)) from None
    absolute: Settings = _with_absolute_paths(settings, file.resolve().parent)
    return absolute


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such file", where=str(file), todo="`abuse init DIR` writes one; name it with --config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigurationError(f"cannot be read: {reason}", where=str(file)) from None


def _describe(file: Path, detail: dict[str, Any]) -> str:
    path = tuple(str(step) for step in detail["loc"])
    where = f"{file}: {'.'.join(path)}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: {_unknown_key(path)}"
    if detail["type"] == "missing":
        return f"{where}: this key is required"
    given = detail.get("input")
    is_plain = isinstance(given, str | int | float | bool)
    if detail["type"] == "literal_error":
        words = str(detail["ctx"]["expected"]).replace("'", "")
        return f"{where}: must be {words}" + (f"; it is {given!r}" if is_plain else "")
    message = str(detail["msg"]).removeprefix("Value error, ")
    shown = f" (it is {given!r})" if is_plain else ""
    return f"{where}: {message}{shown}"


def _unknown_key(path: tuple[str, ...]) -> str:
    known = _keys_beside(path)
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.0)
    return f"unknown key; did you mean {near[0]!r}?" if near else "unknown key"


def _keys_beside(path: tuple[str, ...]) -> list[str]:
    section: type[BaseModel] = Settings
    for step in path[:-1]:
        inner = section_of(section, step)
        if inner is None:
            return []
        section = inner
    return [name for name in section.model_fields if not (section is Settings and name == "file")]


def section_of(section: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model behind a key of *section* when the key is a table of its own, else None."""
    field = section.model_fields.get(key)
    if field is None:
        return None
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _with_absolute_paths(section: Any, base: Path) -> Any:
    """Paths are relative to the configuration file, wherever the command was started."""
    updates: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            updates[name] = base / value
        elif isinstance(value, _Section):
            updates[name] = _with_absolute_paths(value, base)
        elif name == "url" and isinstance(value, str) and value.startswith("sqlite:///"):
            updates[name] = f"sqlite:///{base / value.removeprefix('sqlite:///')}"
    return section.model_copy(update=updates)
