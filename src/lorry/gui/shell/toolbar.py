"""The toolbar: Upload…, refresh, search and filters, then, at the far end, where one is connected and the panel switch.

All parts are added to a QToolBar, so what does not fit moves into its overflow menu by itself.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QToolBar, QToolButton, QWidget

from lorry.core.model import Account
from lorry.gui.datasets.filters import Filters
from lorry.gui.shell.actions import Actions
from lorry.gui.shell.menu_button import MenuButton
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import restyle

HEIGHT, MARGIN = 52, 8
CONNECTION_WIDTH = 220
#: Under this width the connection is its icon alone; the name stays its tooltip.
NARROW_WIDTH = 1000
#: Then the filters take no more than this, so that the panel switches stay in reach.
_NARROW_FILTER, _ANY_WIDTH = 132, 16_777_215


class Toolbar(QToolBar):
    """The one toolbar of the main window."""

    def __init__(self, theme: Theme, actions: Actions, filters: Filters, parent: QWidget) -> None:
        super().__init__("Toolbar", parent)
        self._theme = theme
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setIconSize(QSize(16, 16))
        self.toggleViewAction().setVisible(False)
        self._is_primary: bool | None = None
        self.upload = QPushButton("Upload…")
        self.upload.setToolTip(f"Upload dataset files ({actions.upload.shortcut().toString()})")
        self.upload.clicked.connect(actions.upload.trigger)
        self.set_upload_is_primary(True)
        self.addWidget(_empty_part())
        self.addWidget(self.upload)
        self.addWidget(self._tool_button(actions.refresh, "Refresh"))
        self.addSeparator()
        self._boxes = (filters.status, filters.format)
        for widget in (filters.search, *self._boxes):
            self.addWidget(widget)
        gap = _empty_part()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.connection = MenuButton(theme)
        self.connection.addActions([actions.sign_in, actions.sign_out])
        self.addWidget(self.connection)
        self.addSeparator()
        self.transfers = self._tool_button(actions.transfers, "Transfers panel")
        self.addWidget(self.transfers)
        self.details = self._tool_button(actions.details, "Details panel")
        self.addWidget(self.details)
        self.addWidget(_empty_part())
        layout = self.layout()
        if layout is not None:
            # The same on all sides: Qt mixes the sides of a tool bar up. An empty part at each end does the rest.
            layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self.setMinimumHeight(HEIGHT)
        self.show_connection(None, is_online=True)

    def set_upload_is_primary(self, is_primary: bool) -> None:
        """One blue button per screen: an empty list has its own."""
        if is_primary == self._is_primary:
            return
        self._is_primary = is_primary
        restyle(self.upload, kind="primary" if is_primary else "")
        self._theme.bind_icon(self.upload, "upload", "onAccent" if is_primary else "text")

    def show_connection(self, account: Account | None, *, is_online: bool) -> None:
        """Say which project this is, and whether it answers."""
        name = account.project if account else "Not signed in"
        shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, CONNECTION_WIDTH)
        self.connection.setText(f" {shown.replace('&', '&&')}")
        self.connection.setAccessibleName(f"Connection: {name}" + ("" if is_online else ", offline"))
        self.connection.setToolTip(f"{name}, {account.email}" if account else name)
        if not is_online:
            icon = "wifi-off"
        elif account and account.is_local:
            icon = "monitor"
        else:
            icon = "database"
        self._theme.bind_icon(self.connection, icon)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle
        is_narrow = self.width() < NARROW_WIDTH
        self.connection.setToolButtonStyle(style.ToolButtonIconOnly if is_narrow else style.ToolButtonTextBesideIcon)
        for box in self._boxes:
            box.setMaximumWidth(_NARROW_FILTER if is_narrow else _ANY_WIDTH)

    def _tool_button(self, action: QAction, name: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(action)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setAccessibleName(name)
        key = action.shortcut().toString()
        button.setToolTip(f"{name} ({key})" if key else name)
        return button


def _empty_part() -> QWidget:
    part = QWidget()
    part.setProperty("kind", "gap")
    return part
