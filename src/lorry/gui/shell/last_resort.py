"""Errors nobody expected, on any thread: written to the log, and told in one plain sentence. Never a traceback box."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from lorry.gui.shell.notice_bar import Notice, Urgency

_log = logging.getLogger(__name__)


@contextmanager
def unexpected_errors_to(tell: Callable[[], None]) -> Iterator[None]:
    """While inside, log every exception nobody caught and call `tell`, on the thread where it happened.

    The hooks that were there before are put back at the end. KeyboardInterrupt goes to them as before.
    """
    main_hook, thread_hook = sys.excepthook, threading.excepthook

    def on_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, Exception):
            main_hook(kind, error, trace)
            return
        _log.error("an error nobody expected", exc_info=(kind, error, trace))
        tell()

    def on_thread(arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        if error is None or not isinstance(error, Exception):
            return
        name = arguments.thread.name if arguments.thread else "a thread"
        _log.error("an error nobody expected in %s", name, exc_info=error)
        tell()

    sys.excepthook, threading.excepthook = on_main, on_thread
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = main_hook, thread_hook


def notice() -> Notice:
    """What the user is told."""
    return Notice(
        "unexpected",
        Urgency.TROUBLE,
        "Something went wrong inside Lorry.",
        "Your files are safe. The log holds the details.",
        icon="circle-x",
        tone="error",
    )
