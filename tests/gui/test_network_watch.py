"""It is noticed when waiting may be over: the network is back, or the computer was asleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QObject
from PySide6.QtNetwork import QNetworkInformation
from pytestqt.qtbot import QtBot

from lorry.gui.shell.network_watch import NetworkWatch

KINDS = QNetworkInformation.Reachability


class WallClock:
    """The time of day, which jumps when the computer slept."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        self.now_s += 0.01
        return self.now_s


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def watch(qtbot: QtBot, clock: WallClock) -> Iterator[NetworkWatch]:
    owner = QObject()
    yield NetworkWatch(owner, check_ms=10, wall_clock_s=clock)
    owner.deleteLater()


def counted(watch: NetworkWatch) -> Callable[[], int]:
    seen: list[None] = []
    watch.came_back.connect(lambda: seen.append(None))
    return lambda: len(seen)


def test_a_network_that_is_back_is_told_once(watch: NetworkWatch) -> None:
    times = counted(watch)
    for kind in (KINDS.Online, KINDS.Disconnected, KINDS.Local, KINDS.Online, KINDS.Online):
        watch.on_reachability(kind)
    assert times() == 1


@pytest.mark.parametrize("kind", [KINDS.Unknown, KINDS.Site, KINDS.Online])
def test_what_the_system_does_not_know_counts_as_a_network(
    watch: NetworkWatch, kind: QNetworkInformation.Reachability
) -> None:
    times = counted(watch)
    watch.on_reachability(KINDS.Disconnected)
    watch.on_reachability(kind)
    assert times() == 1


def test_waking_up_is_told_and_the_passing_of_time_is_not(qtbot: QtBot, watch: NetworkWatch, clock: WallClock) -> None:
    times = counted(watch)
    before_s = clock.now_s
    qtbot.waitUntil(lambda: clock.now_s > before_s + 0.05)
    assert times() == 0
    clock.now_s += 3_600
    qtbot.waitUntil(lambda: times() == 1)
