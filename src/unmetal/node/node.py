"""The node: everything put together, from `start` to `stop`."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from importlib.metadata import version

from unmetal.files.dicom.reading import tolerant
from unmetal.node import identity
from unmetal.node.c_store import CStore
from unmetal.node.config import Config
from unmetal.node.destination import Carrier, Destination, Entity, parse
from unmetal.node.dicomweb import Stow
from unmetal.node.fetcher import Fetcher, Search
from unmetal.node.health import Health, Metrics, StatusServer, free_bytes
from unmetal.node.intake import Intake
from unmetal.node.log import Log, keep_quiet
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool
from unmetal.node.receiver import Receiver
from unmetal.node.reducer import Reducer
from unmetal.node.sender import Sender
from unmetal.node.thread import Loop
from unmetal.node.worker import Reduces, Worker

DAY_S = 24 * 3600.0

STOP_S = 10.0
"""How long to wait for what cannot be interrupted, an image on its way for example."""

LOOK_S = 0.5
"""Longest time until a series that is complete is seen to be."""


class Node:
    """Receives, waits, reduces, sends: each in a thread of its own, with the spool between."""

    def __init__(
        self, config: Config, reducer: Reduces | None = None, log: Log | None = None
    ) -> None:
        """reducer: what reduces a series; by default the process that does as `unmetal reduce`.

        Raises `InputError` for what cannot work.
        """
        self.config, self.log, self.metrics = config, log or Log(), Metrics()
        destinations = [parse(text) for text in config.send.to]
        names = tuple(dict.fromkeys(map(str, destinations)))
        searches = [Search.parse(text) for text in config.send.sources]
        carriers = {str(destination): self._carrier(destination) for destination in destinations}
        self.spool = Spool(config.folder)
        self.arrivals = Arrivals(self.spool, config.keep.quiet_time)
        self.completing = Loop("complete", self._complete, self.log)
        self.intake = Intake(config.keep, self.arrivals, self.completing.wake)
        self.receiver = Receiver(config.receive, self.intake, self.log, self.metrics)
        self.reducer = reducer or Reducer(config.reduce)
        self.worker = Worker(self.spool, self.reducer, names, self.log, self.metrics)
        self.senders = [self._sender(name, carrier) for name, carrier in carriers.items()]
        fetchers = [Fetcher(search, config, self.intake, self.log) for search in searches]
        self.reducing = Loop("reduce", self._reduce, self.log)
        self.sending = [Loop("send", sender.step, self.log) for sender in self.senders]
        fetching = [Loop("fetch", fetcher.step, self.log) for fetcher in fetchers]
        self.loops = [self.completing, self.reducing, *self.sending, *fetching]
        self.status: StatusServer | None = None
        self._tolerance = ExitStack()
        self._cleaned = float("-inf")
        self._bury_what_goes_nowhere(names)

    def start(self) -> None:
        """Listen and work; raises `InputError` if a port or the method cannot be had.

        Until `stop`, pydicom takes header values that break the standard's rules in the whole
        process: it warns by quoting them, and its switches are not made for threads.
        """
        self._tolerance.enter_context(tolerant())
        self.receiver.start()
        if self.config.send.status_port:
            port = self.config.send.status_port
            self.status = StatusServer(port, self.health, self.metrics)
        self.reducer.start()
        for loop in self.loops:
            loop.start()
        receive = self.config.receive
        self.log(
            "started",
            aet=receive.aet,
            host=receive.host,
            port=self.receiver.port,
            status_port=self.config.send.status_port,
            to=[sender.destination for sender in self.senders],
            spool=str(self.spool.folder),
            series=self.spool.counts(),
            version=version("unmetal"),
        )

    def stop(self) -> None:
        """End what can be ended at once. What cannot is found in the spool by the next node, and
        only once this process is gone: it lets go of the spool when nothing of it runs any more.
        """
        self.worker.stopping = True
        self.receiver.stop()
        self.reducer.stop()
        for loop in self.loops:
            loop.stop()
        until = time.monotonic() + STOP_S
        for loop in self.loops:
            loop.join(max(until - time.monotonic(), 0))
        if self.status is not None:
            self.status.stop()
        self._tolerance.close()
        self.log("stopped", series=self.spool.counts())
        if not any(loop.is_alive for loop in self.loops):
            self.spool.close()

    def run(self) -> None:
        """Start, and work until SIGTERM or SIGINT."""
        keep_quiet(self.log)
        asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked.set())
        try:
            self.start()
            asked.wait()
        finally:
            self.stop()

    def health(self) -> Health:
        """How it is."""
        counts = self.spool.counts()
        failing = [f"{loop.name}: {loop.failing}" for loop in self.loops if loop.failing]
        failing += [f"{loop.name}: not running" for loop in self.loops if not loop.is_alive]
        failing += [reason] if (reason := self.intake.refusal()) else []
        worrying = [f"{counts['dead']} dead letters"] if counts["dead"] else []
        worrying += [
            f"{sender.destination}: not reached" for sender in self.senders if sender.away.failures
        ]
        return Health(failing, worrying, counts, free_bytes(self.spool))

    def _complete(self) -> float:
        if time.monotonic() - self._cleaned > DAY_S:
            self.spool.ledger.forget()
            self._cleaned = time.monotonic()
        for job in self.arrivals.complete():
            warnings = [warning.partition(":")[0] for warning in job.record.warnings]
            self.log("complete", series=job.series, images=len(job.names()), warnings=warnings)
            self.reducing.wake()
        return min(self.arrivals.wait(), LOOK_S)

    def _reduce(self) -> float:
        pause = self.worker.step()
        for loop in self.sending:
            loop.wake()
        return pause

    def _carrier(self, destination: Destination) -> Carrier:
        receive = self.config.receive
        if isinstance(destination, Entity):
            context = identity.client(receive) if self.config.send.tls_to else None
            return CStore(receive.aet, destination, context)
        return Stow(destination.url, receive)

    def _sender(self, name: str, carrier: Carrier) -> Sender:
        send = self.config.send
        return Sender(
            self.spool,
            name,
            carrier,
            self.log,
            self.metrics,
            retry=send.retry,
            give_up=send.give_up,
        )

    def _bury_what_goes_nowhere(self, names: tuple[str, ...]) -> None:
        """What lies here for destinations that nobody named any more is for a person to decide."""
        for job in self.spool.jobs("sending"):
            for gone in set(job.destinations()) - set(names):
                self.spool.fail(job, gone)
                self.log("dead letter", series=job.series, why="a destination that is gone")
