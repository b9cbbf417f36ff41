"""The configuration file: every mistake is named with file, key, what is wrong and the nearest valid key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.settings import load_settings, parse_settings

FILE = Path("desk/abuse.toml")

MISTAKES = [
    ('[provider]\nnme = "x"', "provider.nme", "did you mean 'name'"),
    ("[netwrks]\na = 1", "netwrks", "did you mean 'networks'"),
    ('[intake.smtp]\nrecipient = ["abuse@hosting.example.jp"]', "intake.smtp.recipient", "did you mean 'recipients'"),
    ('[intake.smtp]\nlisten = "127.0.0.1:25"', "intake.smtp.recipients", "required"),
    ("[intake.smtp]\nrecipients = []", "intake.smtp.recipients", "at least 1"),
    ('[intake.smtp]\nrecipients = ["abuse"]', "intake.smtp.recipients.0", "mail address"),
    ('[intake.smtp]\nrecipients = ["a@example.jp"]\nlisten = "8025"', "intake.smtp.listen", "127.0.0.1:8025"),
    ('[intake.smtp]\nrecipients = ["a@example.jp"]\nlisten = "127.0.0.1:99999"', "intake.smtp.listen", "host and port"),
    ('[provider]\ntimezone = "Mars/Olympus"', "provider.timezone", "IANA"),
    ('[provider]\nname = "a\\nb"', "provider.name", "one line"),
    ('[provider]\nlanguages = ["de"]', "provider.languages.0", "must be ja or en; it is 'de'"),
    ('[trace]\nmax_skew = "2 hours"', "trace.max_skew", '"2h"'),
    ('[trace]\nmax_skew = "999999999d"', "trace.max_skew", "too long"),
    ('[trace]\nown_relays = ["198.51.100.25/24"]', "trace.own_relays.0", "host bits"),
    ("[trace]\nown_relays = [7]", "trace.own_relays.0", "as text"),
    ('[notices]\napproval = "never"', "notices.approval", "must be automatic or staff; it is 'never'"),
    ('[notices]\ntime_precision = ["day"]', "notices.time_precision", "must be minute, hour or day"),
    ("[log]\nlevel = 3", "log.level", "must be debug, info, warning or error; it is 3"),
    ("[notices]\nminimum_reporters = 0", "notices.minimum_reporters", "greater than or equal to 1"),
    ('[store]\nurl = "mysql://x"', "store.url", "sqlite:///"),
    ("[workers]\nmax_memory_bytes = 1", "workers.max_memory_bytes", "536870912"),
    ('file = "x"', "file", "unknown key"),
]


@pytest.mark.parametrize(("text", "key", "hint"), MISTAKES, ids=[key for _, key, _ in MISTAKES])
def test_a_mistake_is_named(text: str, key: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(text, FILE)
    assert f"{FILE}: {key}: " in str(caught.value)
    assert hint in str(caught.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings('[provider]\nnme = "x"\n[notices]\nwhen = 1\n', FILE)
    assert len(str(caught.value).splitlines()) == 2


def test_broken_toml_says_the_line() -> None:
    with pytest.raises(ConfigurationError, match=r"abuse\.toml: is not valid TOML: .*line 2"):
        parse_settings("[provider]\nname =\n", FILE)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="abuse init"):
        load_settings(tmp_path / "abuse.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "abuse.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_settings(tmp_path / "abuse.toml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "desk" / "abuse.toml"
    settings = parse_settings(
        '[store]\nurl = "sqlite:///var/a.db"\n[intake.folder]\npath = "in"\n[networks]\nnetworks = "/etc/n.csv"', file
    )
    assert settings.store.url == f"sqlite:///{tmp_path}/desk/var/a.db"
    assert settings.intake.folder is not None
    assert settings.intake.folder.path == tmp_path / "desk" / "in"
    assert settings.networks.networks == Path("/etc/n.csv")


def test_the_file_itself_is_absolute_so_that_workers_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "abuse.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path("desk/abuse.toml")).file == tmp_path / "desk" / "abuse.toml"


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = parse_settings("", FILE)
    assert settings.provider.timezone == "Asia/Tokyo"
    assert settings.trace.max_skew == timedelta(hours=2)
    assert settings.triage.max_age == timedelta(days=180)
    assert (settings.notices.approval, settings.notices.time_precision) == ("automatic", "hour")
    assert settings.notices.minimum_reporters == 5
    assert settings.intake.smtp is None
    assert settings.intake.folder is None


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:8025", ("127.0.0.1", 8025)), ("[::1]:25", ("::1", 25)), ("localhost:0", ("localhost", 0))],
)
def test_listen_is_host_and_port(listen: str, address: tuple[str, int]) -> None:
    smtp = parse_settings(f'[intake.smtp]\nlisten = "{listen}"\nrecipients = ["a@example.jp"]', FILE).intake.smtp
    assert smtp is not None
    assert smtp.address == address
