"""`abuse run`: open the store, start receivers and workers, keep them going, stop cleanly.

What cannot start now — a port that is taken, a folder that cannot be written — is said in one line and tried again
later; everything else works meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine, Sequence
from datetime import timedelta

from abuse_pipeline.clock import Clock
from abuse_pipeline.crew import Crew
from abuse_pipeline.desk import Desk
from abuse_pipeline.errors import AbuseError
from abuse_pipeline.intake.archives import MAX_MESSAGE_BYTES
from abuse_pipeline.intake.folder import FolderWatcher
from abuse_pipeline.intake.smtp import start_smtp
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.late_facts import add_late_facts
from abuse_pipeline.late_keys import fetch_wanted_keys
from abuse_pipeline.store import Store
from abuse_pipeline.worker import place_of

log = logging.getLogger("abuse.service")

_AGAIN = timedelta(seconds=10)
_CREW_SECONDS = 0.5
_LATE_FACTS_SECONDS = 2.0


async def serve(desk: Desk, store: Store, clock: Clock) -> None:
    """Run until SIGTERM or SIGINT. Returns when everything has stopped and every accepted message is in the store."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    for problem in desk.plugins.problems:
        log.error("%s", problem)
    settings = desk.settings
    crew = Crew(settings.file, settings.workers, store)
    async with Spool(store) as spool:
        tasks: list[Coroutine[None, None, None]] = [_keep_crew(crew, stop)]
        if settings.intake.smtp is not None:
            tasks.append(_receive(desk, spool, clock, stop))
        if settings.intake.folder is not None:
            tasks.append(_watch(desk, spool, clock, stop))
        if not settings.enrich.offline:
            tasks.append(_gather_facts(desk, store, clock, stop))
        log.info("started with %d workers, process %d", crew.size, os.getpid())
        await _until_stopped(tasks, stop)
    log.info("stopped")


async def _until_stopped(tasks: Sequence[Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    """Run *tasks*; when one fails, stop the others and pass its failure on: half a service must not look whole."""
    running = [asyncio.ensure_future(task) for task in tasks]
    await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _receive(desk: Desk, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    smtp = desk.settings.intake.smtp
    assert smtp is not None, "serve starts a receiver only where one is configured"
    while not stop.is_set():
        try:
            receiver = await start_smtp(smtp, spool, clock)
        except AbuseError as error:
            log.error("%s; the rest of the service goes on, the next try is in %d s", error, _AGAIN.seconds)
            await _pause(stop, _AGAIN.total_seconds())
            continue
        log.info("SMTP receiver listens on %s:%d", smtp.address[0], receiver.port)
        await stop.wait()
        await receiver.stop()


async def _watch(desk: Desk, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    folder = desk.settings.intake.folder
    assert folder is not None, "serve starts a watcher only where one is configured"
    log.info("folder watcher looks into %s", folder.path)
    smtp = desk.settings.intake.smtp
    limit = smtp.max_message_bytes if smtp is not None else MAX_MESSAGE_BYTES
    await FolderWatcher(folder, spool, clock, desk.settings.archives, limit).run(stop)


async def _keep_crew(crew: Crew, stop: asyncio.Event) -> None:
    await asyncio.to_thread(crew.start)
    try:
        while not stop.is_set():
            await asyncio.to_thread(crew.look_after)
            await _pause(stop, _CREW_SECONDS)
    finally:
        await asyncio.to_thread(crew.stop)


async def _gather_facts(desk: Desk, store: Store, clock: Clock, stop: asyncio.Event) -> None:
    """Look facts up in a thread with a loop of its own: an enricher is somebody else's code, and one that blocks must
    not keep mail from being received, nor the service from stopping."""
    over = threading.Event()
    threading.Thread(target=_gather_until, args=(desk, store, clock, over), name="late-facts", daemon=True).start()
    await stop.wait()
    over.set()


def _gather_until(desk: Desk, store: Store, clock: Clock, over: threading.Event) -> None:
    while not over.is_set():
        done = [_looked_up(work(desk, store, clock)) for work in (add_late_facts, fetch_wanted_keys)]
        if not any(done):
            over.wait(_LATE_FACTS_SECONDS)


def _looked_up(work: Coroutine[None, None, int]) -> int:
    """How much *work* did; 0 when it failed, which is logged."""
    try:
        return asyncio.run(work)
    except AbuseError as error:
        # Late facts are a courtesy: when the store or a source is down, the service goes on without them.
        log.warning("%s", error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a defect here must not end the look-ups for good
        # Unhandled, it would be printed with its text, which may quote a report; class and place are enough.
        log.error("looking facts up broke (%s %s)", type(error).__name__, place_of(error))
    return 0


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake when the service stops."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
