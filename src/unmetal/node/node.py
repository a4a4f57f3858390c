"""The node: receiver, worker, senders and fetchers, each in a thread, with the spool between."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack

from unmetal.files.dicom.reading import tolerant
from unmetal.node.config import Config
from unmetal.node.dicomweb import Stow
from unmetal.node.fetcher import Fetcher, Search
from unmetal.node.health import Health, Metrics, StatusServer
from unmetal.node.identity import client_tls
from unmetal.node.intake import Intake
from unmetal.node.log import Log, silence_libraries
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool
from unmetal.node.receiver import Receiver
from unmetal.node.reducer import ReducerProcess
from unmetal.node.sender import Sender
from unmetal.node.thread import BackgroundLoop
from unmetal.node.worker import Worker
from unmetal.sending.c_store import CStore
from unmetal.sending.destination import Entity, Transport, parse_destination
from unmetal.software import version

DAY_S = 24 * 3600.0

STOP_TIMEOUT_S = 10.0
"""For steps that cannot be interrupted, such as an image that is being sent."""

MAX_COMPLETE_PAUSE_S = 0.5
"""Between two looks for series that are complete."""


class Node:
    """Receives, reduces and sends series until it is stopped."""

    def __init__(
        self, config: Config, reducer: ReducerProcess | None = None, log: Log | None = None
    ) -> None:
        """reducer: reduces the series, in place of the process that does as `unmetal reduce`.

        Raises `InputError` for options that cannot work.
        """
        self.config, self.log, self.metrics = config, log or Log(), Metrics()
        destinations = {str(one): one for one in map(parse_destination, config.send.to)}
        transports = {name: self._transport(one) for name, one in destinations.items()}
        searches = [Search.parse(text) for text in config.send.sources]
        self.spool = Spool(config.spool)
        self.arrivals = Arrivals(self.spool, config.storage.quiet_time)
        self.completing = BackgroundLoop("complete", self._complete, self.log)
        self.intake = Intake(config.storage, self.arrivals, self.completing.wake)
        self.receiver = Receiver(config.receive, self.intake, self.log, self.metrics)
        self.reducer = reducer or ReducerProcess(config.reduce)
        self.worker = Worker(self.spool, self.reducer, tuple(transports), self.log, self.metrics)
        retry, give_up = config.send.retry, config.send.give_up
        self.senders = [
            Sender(self.spool, *one, self.log, self.metrics, retry=retry, give_up=give_up)
            for one in transports.items()
        ]
        fetchers = [Fetcher(search, config, self.intake, self.log) for search in searches]
        self.reducing = BackgroundLoop("reduce", self._reduce, self.log)
        self.sending = [BackgroundLoop("send", sender.step, self.log) for sender in self.senders]
        fetching = [BackgroundLoop("fetch", fetcher.step, self.log) for fetcher in fetchers]
        self.loops = [self.completing, self.reducing, *self.sending, *fetching]
        self.status: StatusServer | None = None
        self._tolerance = ExitStack()
        self._pruned_at = float("-inf")
        self._give_up_unknown_destinations(set(transports))

    def start(self) -> None:
        """Listen and work; raises `InputError` if a port or the method cannot be had.

        Until `stop`, pydicom accepts header values that break the standard's rules in the whole
        process: it would quote them in warnings, and its switches are not made for threads.
        """
        self._tolerance.enter_context(tolerant())
        self.receiver.start()
        receive, status_port = self.config.receive, self.config.send.status_port
        if status_port:
            self.status = StatusServer(status_port, self.health, self.metrics)
        self.reducer.start()
        for loop in self.loops:
            loop.start()
        address = {"aet": receive.aet, "host": receive.host, "port": self.receiver.port}
        to = [sender.destination for sender in self.senders]
        queue = {"spool": str(self.spool.folder), "series": self.spool.counts()}
        self.log("started", **address, status_port=status_port, to=to, **queue, version=version())

    def stop(self) -> None:
        """End what can be ended at once; the next node finds the rest in the spool.

        The spool is let go only when no thread of this node runs any more, at the latest with the
        end of the process.
        """
        self.worker.stopping = True
        self.receiver.stop()
        self.reducer.stop()
        for loop in self.loops:
            loop.stop()
        until = time.monotonic() + STOP_TIMEOUT_S
        for loop in filter(BackgroundLoop.is_alive, self.loops):
            loop.join(max(until - time.monotonic(), 0))
        if self.status is not None:
            self.status.stop()
        self._tolerance.close()
        self.log("stopped", series=self.spool.counts())
        if not any(loop.is_alive() for loop in self.loops):
            self.spool.close()

    def run(self) -> None:
        """Start, and work until SIGTERM or SIGINT."""
        silence_libraries(self.log)
        stop_requested = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop_requested.set())
        try:
            self.start()
            stop_requested.wait()
        finally:
            self.stop()

    def health(self) -> Health:
        """Its state at this moment."""
        counts = self.spool.counts()
        failing = [f"{loop.name}: {loop.failing}" for loop in self.loops if loop.failing]
        failing += [f"{loop.name}: not running" for loop in self.loops if not loop.is_alive()]
        failing += [reason] if (reason := self.intake.refusal()) else []
        worrying = [f"{counts['dead']} dead letters"] if counts["dead"] else []
        unreached = [sender.destination for sender in self.senders if sender.backoff.failures]
        worrying += [f"{destination}: not reached" for destination in unreached]
        return Health(failing, worrying, counts, self.spool.free_bytes())

    def _complete(self) -> float:
        if time.monotonic() - self._pruned_at > DAY_S:
            self.spool.history.prune()
            self._pruned_at = time.monotonic()
        for job in self.arrivals.complete():
            warnings = [warning.partition(":")[0] for warning in job.state.warnings]
            images = len(job.image_names())
            self.log("complete", series=job.series, images=images, warnings=warnings)
            self.reducing.wake()
        return min(self.arrivals.seconds_left(), MAX_COMPLETE_PAUSE_S)

    def _reduce(self) -> float:
        pause = self.worker.step()
        for loop in self.sending:
            loop.wake()
        return pause

    def _transport(self, destination: Entity | str) -> Transport:
        receive = self.config.receive
        if isinstance(destination, str):
            return Stow(destination, receive)
        tls = client_tls(receive) if self.config.send.tls_to else None
        return CStore(receive.aet, destination, tls)

    def _give_up_unknown_destinations(self, names: set[str]) -> None:
        """Series that wait for a destination which --to does not name any more become dead letters,
        for a person to decide."""
        for job in self.spool.jobs("sending"):
            for gone in set(job.pending_destinations()) - names:
                self.spool.give_up(job, gone)
                self.log("dead letter", series=job.series, why="a destination that is gone")
