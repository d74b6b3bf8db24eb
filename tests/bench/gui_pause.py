"""Opens the real window, uploads one file through the dialog, and measures how long the event loop ever pauses.

    python -m tests.bench.gui_pause FILE

The server is the one the environment names, else the local workspace of LORRY_HOME. A probe timer fires every
millisecond; the time between two of its calls is a pause. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from lorry.app import open_client
from lorry.core.engine import Temper
from lorry.core.model import DatasetStatus
from lorry.core.paths import Paths, resource_dir
from lorry.core.store.settings import Settings
from lorry.core.transfers import Phase, TransferState
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.main_window import MainWindow
from lorry.gui.shell.open import application
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.dialog import UploadDialog

PROBE_MS = 1
LIMIT_S = 300.0


class Probe:
    """Pauses of the event loop in ms, while `active`."""

    def __init__(self) -> None:
        self.active = False
        self.pauses_ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(PROBE_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        if self.active:
            self.pauses_ms.append((now - self._last) * 1000)
        self._last = now


def main() -> None:
    file = Path(sys.argv[1]).absolute()
    paths = Paths.from_environment()
    with open_client(paths, Temper()) as client:
        client.connect()
        app: QApplication = application()
        theme = Theme(resource_dir())
        theme.apply(app)
        inbox = Inbox(client)
        window = MainWindow(client, inbox, theme, Settings(paths.settings))
        window.show()
        window.open_paths([file])
        probe = Probe()
        deadline = time.monotonic() + LIMIT_S
        (dialog,) = (widget for widget in app.topLevelWidgets() if isinstance(widget, UploadDialog))
        seen_phases: set[Phase] = set()

        def step() -> None:
            transfers = client.snapshot()
            seen_phases.update(transfer.phase for transfer in transfers)
            upload = dialog.form_page.upload_button
            if not transfers and upload.isVisible() and upload.isEnabled():
                probe.active = True
                upload.click()
            elif transfers and transfers[0].state in (TransferState.DONE, TransferState.FAILED):
                probe.active = False
                app.quit()
            elif time.monotonic() > deadline:
                app.quit()

        stepper = QTimer()
        stepper.timeout.connect(step)
        stepper.start(20)
        app.exec()
        stepper.stop()
        inbox.close()
        (transfer,) = client.snapshot()
        assert transfer.state is TransferState.DONE, transfer
        wait = threading.Event()
        while (row := client.get_dataset(transfer.dataset_id)).status is DatasetStatus.VALIDATING:
            assert time.monotonic() < deadline
            wait.wait(0.2)
        pauses = sorted(probe.pauses_ms)
        result = {
            "probes": len(pauses),
            "p50_ms": round(statistics.median(pauses), 2),
            "p99_ms": round(pauses[int(len(pauses) * 0.99)], 2),
            "max_ms": round(pauses[-1], 2),
            "phases": sorted(seen_phases),
            "status": row.status.value,
        }
        print(json.dumps(result), flush=True)
        window.close()
    # Nothing of Qt is needed any more; what is left is taken down with the process.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
