"""Enrichers are somebody else's code: whatever they do, mail is received and the service stops when it is told to."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from desk_service import Desk, Service, deliver, make_desk, wait_until, wait_until_processed

from abuse_pipeline.demo import NOW

ROOT = Path(__file__).parents[2]
PLUGIN = """
import sys, time
from pathlib import Path

class Odd:
    asks = "nobody"

    async def lookup(self, ip, context):
        Path({mark!r}).touch()
        {deed}
        return ()

enricher = Odd()
"""


@pytest.mark.parametrize("deed", ["time.sleep(600)", "sys.exit(3)"], ids=["blocks", "exits"])
def test_mail_is_taken_and_the_service_stops_whatever_an_enricher_does(
    deed: str, tmp_path: Path, run: Callable[[Desk], Service]
) -> None:
    plugins = {"folder": str(tmp_path / "plugins")}
    # No name server answers there, so that only the plugin is asked.
    quiet = {"offline": False, "nameservers": ["127.0.0.1:9"], "rdap_url": "http://127.0.0.1:9/", "timeout": "1s"}
    desk = make_desk(tmp_path / "desk", now=NOW, plugins=plugins, enrich=quiet)
    (tmp_path / "plugins").mkdir()
    mark = tmp_path / "asked"
    (tmp_path / "plugins" / "odd.py").write_text(PLUGIN.format(mark=str(mark), deed=deed), encoding="utf-8")
    service = run(desk)
    port = service.listening()
    reports = [ROOT / "samples" / "forwarded_attachment" / name for name in ("elsewhere.eml", "exim.eml")]
    _send(reports[0].read_bytes(), port)
    wait_until(mark.exists, service, "the enricher to be asked")
    _send(reports[1].read_bytes(), port)
    wait_until_processed(desk, 2, service)
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 15


def _send(raw: bytes, port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10, local_hostname="client.example") as client:
        deliver(client, raw, "reporter@reporter.example")
