"""The receiver on the real store: what got 250 is there, once, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

from intake_desk import NOW, Wire

from abuse_pipeline.intake.smtp import start_smtp
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.settings import SmtpIntake, StoreSettings
from abuse_pipeline.store import open_store


async def test_what_got_250_is_in_the_store_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'abuse.db'}"
    store = open_store(StoreSettings(url=url, keys=tmp_path / "keys"), lambda: NOW)

    async def client(port: int, number: int) -> None:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        await wire.reply()
        for _ in range(2):  # the second time as a sender does who never saw our 250
            await wire.begin()
            assert (await wire.send(b"Subject: %d \xff\x00\r\n" % number)).startswith("250")
        wire.writer.close()

    async with Spool(store) as spool:
        settings = SmtpIntake(listen="127.0.0.1:0", recipients=("abuse@hosting.example.jp",))
        receiver = await start_smtp(settings, spool, lambda: NOW)
        await asyncio.gather(*(client(receiver.port, number) for number in range(20)))
        await receiver.stop(1)
    store.close()

    reopened = open_store(StoreSettings(url=url, keys=tmp_path / "keys"), lambda: NOW)
    claims = reopened.claim("worker", 100, timedelta(minutes=1))
    reopened.close()
    raws = [b"Subject: %d \xff\x00\r\n" % number for number in range(20)]
    assert sorted(claim.raw for claim in claims) == sorted(raws)
    assert {claim.submission.digest for claim in claims} == {
        "sha256:" + hashlib.sha256(raw).hexdigest() for raw in raws
    }
