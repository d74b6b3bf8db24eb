"""The line at the bottom: how many datasets and how much, and how old what is shown is."""

from __future__ import annotations

from PySide6.QtWidgets import QStatusBar, QWidget

from lorry.core.model import DatasetPage
from lorry.gui.shell.safe_label import SafeLabel
from lorry.text.format import count, plural, size


class StatusLine(QStatusBar):
    """Two texts, one at each end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._left, self._right = SafeLabel(), SafeLabel()
        self.addWidget(self._left, 1)
        self.addPermanentWidget(self._right)

    @property
    def texts(self) -> tuple[str, str]:
        return self._left.text(), self._right.text()

    def show_page(
        self, page: DatasetPage | None, *, extra: int, size_bytes: int, unfiltered: int | None, is_online: bool
    ) -> None:
        """`extra` rows and `size_bytes` of all rows on screen; `unfiltered` is the number without filters."""
        if page is None:
            self._left.setText("")
            self._right.setText("")
            return
        total = page.total + extra
        query = page.query
        if query.search or query.status or query.format:
            of = f" of {count(unfiltered)}" if unfiltered is not None else ""
            words = f"{count(total)}{of} {'dataset' if (unfiltered or total) == 1 else 'datasets'}"
        elif total == 0:
            words = "No datasets"
        else:
            words = plural(total, "dataset")
            if page.total_pages <= 1:
                words += f", {size(size_bytes)}"
        if page.unreadable:
            words += f" ({plural(page.unreadable, 'row')} could not be read)"
        self._left.setText(words)
        self._right.setText(f"{'Updated' if is_online else 'Data from'} {page.read_at.astimezone():%H:%M}")
