"""Notices that waiting may be over: the computer is on a network again, or it woke up.

The system's own word on the network is used where Qt has a backend for it; without one the uploads' own attempts have
to find out. Sleep shows as a jump of the wall clock over a timer's interval. Main thread only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtNetwork import QNetworkInformation

_CHECK_MS = 5_000
#: A timer may be late by this much on a busy computer that was awake all the time (s).
_SLACK_S = 15.0
log = logging.getLogger(__name__)


class NetworkWatch(QObject):
    """Signals:
    came_back(): it is worth trying again now.
    """

    came_back = Signal()

    def __init__(
        self, parent: QObject, *, check_ms: int = _CHECK_MS, wall_clock_s: Callable[[], float] = time.time
    ) -> None:
        super().__init__(parent)
        self._wall_clock_s = wall_clock_s
        self._limit_s = check_ms / 1000 + _SLACK_S
        self._seen_s = wall_clock_s()
        self._timer = QTimer(self, interval=check_ms)
        self._timer.timeout.connect(self._on_time)
        self._timer.start()
        self._was_online = True
        information = _information()
        if information is not None:
            self._was_online = _is_online(information.reachability())
            information.reachabilityChanged.connect(self.on_reachability)

    def on_reachability(self, reachability: QNetworkInformation.Reachability) -> None:
        """The system's word on the network; what it does not know counts as a network."""
        was_online, self._was_online = self._was_online, _is_online(reachability)
        if self._was_online and not was_online:
            log.info("the network is back")
            self.came_back.emit()

    def _on_time(self) -> None:
        before_s, self._seen_s = self._seen_s, self._wall_clock_s()
        if self._seen_s - before_s > self._limit_s:
            log.info("the computer was asleep for %.0f s", self._seen_s - before_s)
            self.came_back.emit()


def _information() -> QNetworkInformation | None:
    if not QNetworkInformation.loadDefaultBackend():
        return None
    information = QNetworkInformation.instance()
    feature = QNetworkInformation.Feature.Reachability
    return information if information is not None and information.supports(feature) else None


def _is_online(reachability: QNetworkInformation.Reachability) -> bool:
    kinds = QNetworkInformation.Reachability
    return reachability not in (kinds.Disconnected, kinds.Local)
