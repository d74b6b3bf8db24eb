"""Ctrl+C in the terminal and SIGTERM end the window's event loop, which on its own would never look at them."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from PySide6.QtCore import QCoreApplication, QSocketNotifier

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def quit_on_signals() -> Iterator[None]:
    """While inside, SIGINT and SIGTERM leave the running event loop without asking. Main thread only."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        QCoreApplication.exit(0)

    # Python runs its handlers only between two steps of Python code. A byte on this socket makes Qt take such a step.
    inside, outside = socket.socketpair()
    inside.setblocking(False)
    outside.setblocking(False)
    notifier = QSocketNotifier(inside.fileno(), QSocketNotifier.Type.Read)

    def on_byte() -> None:
        with suppress(BlockingIOError):
            inside.recv(64)

    notifier.activated.connect(on_byte)
    former_handlers = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    former_socket = signal.set_wakeup_fd(outside.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(former_socket)
        for number, handler in former_handlers.items():
            signal.signal(number, handler)
        notifier.setEnabled(False)
        inside.close()
        outside.close()
