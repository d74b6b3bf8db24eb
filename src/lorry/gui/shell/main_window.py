"""The main window: makes the parts and connects what one of them says to what another does.

It holds no logic beyond that: the list is `datasets.list_screen`, changing it `datasets.edits`, uploads `upload_desk`
and `transfers.desk`, the state of the connection `standing`, the arrangement `window_layout`. Main thread only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow, QMenu

from lorry.core.errors import LorryError
from lorry.core.model import Account
from lorry.core.transfers import TransferState
from lorry.gui.account.sign_in_desk import SignInDesk
from lorry.gui.datasets.details import DetailsPanel
from lorry.gui.datasets.edits import DatasetEdits
from lorry.gui.datasets.empty_state import EmptyCase
from lorry.gui.datasets.list_screen import ListScreen
from lorry.gui.shell.about import show_about
from lorry.gui.shell.actions import Actions
from lorry.gui.shell.file_entry import FileEntry
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.interrupted import InterruptedUploads
from lorry.gui.shell.network_watch import NetworkWatch
from lorry.gui.shell.notice_bar import NoticeBar
from lorry.gui.shell.quit_guard import QuitGuard
from lorry.gui.shell.row_commands import RowCommands
from lorry.gui.shell.standing import Standing
from lorry.gui.shell.status_line import StatusLine
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.toolbar import Toolbar
from lorry.gui.shell.upload_desk import UploadDesk
from lorry.gui.shell.upload_endings import UploadEndings
from lorry.gui.shell.window_layout import WindowLayout
from lorry.gui.shell.window_memory import SettingsStore, WindowMemory
from lorry.gui.transfers.actions import TransferActions
from lorry.gui.transfers.desk import TransferDesk
from lorry.gui.transfers.panel import TransfersPanel

if TYPE_CHECKING:
    from lorry.core.client import Client

_OVER = (TransferState.DONE, TransferState.FAILED)


class MainWindow(QMainWindow):
    """Made and shown by `open_window`; everything it needs is handed in."""

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, settings: SettingsStore) -> None:
        super().__init__()
        self._client, self._inbox, self._theme = client, inbox, theme
        self._memory = WindowMemory(settings)
        self._account: Account | None = None
        self.setWindowIcon(theme.app_icon())
        self.setAcceptDrops(True)
        self.commands = Actions(theme, self)
        self.upload_commands = TransferActions(theme, self)
        self.listing = ListScreen(client, inbox, theme, self)
        self.table = self.listing.pane.table
        self.toolbar = Toolbar(theme, self.commands, self.listing.filters, self)
        self.notices = NoticeBar(theme)
        self.details = DetailsPanel(theme, self.commands)
        self.transfers = TransfersPanel(client, inbox, theme, self.upload_commands)
        self.status = StatusLine(self)
        self.desk = UploadDesk(client, inbox, theme, self.notices, self)
        self.endings = UploadEndings(inbox, self.notices, self.desk.is_watched, self)
        self.transfer_desk = TransferDesk(
            client, inbox, theme, self.notices, self.transfers, self.upload_commands, settings, self
        )
        self.edits = DatasetEdits(client, inbox, theme, self.listing.model, self.notices, self)
        self.sign_in_desk = SignInDesk(client, inbox, theme, self)
        self.quit_guard = QuitGuard(theme, inbox, client.snapshot, self)
        self.standing = Standing(self.notices, self._count_kept, self)
        self.network = NetworkWatch(self)
        self.files = FileEntry(theme, self.notices, self)
        self.interrupted = InterruptedUploads(client, inbox, self.notices, self)
        self.row_commands = RowCommands(self.commands, self.table, self.edits, self)
        self.arrangement = self._lay_out()
        self._connect_commands()
        self._connect_parts()
        self._ring = FocusRing(theme, self)
        self.table.setFocus()
        if client.account is not None:
            self._on_account(client.account, None)
        else:
            self.listing.connecting()
            self._show_account(None)

    # -- built once --------------------------------------------------------------------------------------------------

    def _lay_out(self) -> WindowLayout:
        self.commands.fill_menus(self, self.upload_commands.bar_menu(self))
        self.addToolBar(self.toolbar)
        self.setStatusBar(self.status)
        self.table.set_menu(self.commands.fill_row_menu(QMenu(self)))
        return WindowLayout(
            self, self.notices, self.listing.pane, self.transfers, self.details, self.commands, self._memory
        )

    def _connect_commands(self) -> None:
        commands = self.commands
        commands.upload.triggered.connect(lambda: self._open_files([]))
        commands.paste.triggered.connect(self.files.paste)
        commands.quit.triggered.connect(self.close)
        commands.sign_in.triggered.connect(self.sign_in_desk.open)
        commands.sign_out.triggered.connect(self.sign_in_desk.sign_out)
        commands.find.triggered.connect(self.listing.filters.search.take_focus)
        commands.refresh.triggered.connect(self._refresh)
        commands.details.toggled.connect(lambda _is_open: self._on_selection_changed())
        self.upload_commands.hide.triggered.connect(lambda: commands.transfers.setChecked(False))
        commands.about.triggered.connect(lambda: show_about(self._theme, self))
        for scheme, action in commands.schemes.items():
            action.triggered.connect(lambda _checked=False, chosen=scheme: self._theme.set_scheme(chosen))
        self._theme.changed.connect(lambda: self._memory.save_scheme(self._theme.scheme))

    def _connect_parts(self) -> None:
        self.listing.changed.connect(self._on_list_changed)
        self.listing.answered.connect(self._on_answered)
        self.listing.failed.connect(self._on_failed)
        self.listing.filters.search.left_with_escape.connect(self.table.setFocus)
        self.listing.pane.empty.action_requested.connect(self._on_empty_action)
        self.table.selection_changed.connect(self._on_selection_changed)
        self.row_commands.details_wanted.connect(lambda: self.commands.details.setChecked(True))
        self.row_commands.upload_wanted.connect(self.desk.follow)
        self.details.upload_requested.connect(lambda row: self.desk.follow(row.dataset_id))
        self.desk.show_dataset.connect(self._show_dataset)
        self.desk.sign_in_wanted.connect(self.sign_in_desk.open)
        self.endings.show_dataset.connect(self._show_dataset)
        self.endings.show_upload.connect(self.desk.follow)
        self.endings.show_uploads.connect(self._show_in_transfers)
        self.transfer_desk.show_upload.connect(self.desk.follow)
        self.transfer_desk.sign_in_wanted.connect(self.sign_in_desk.open)
        self.sign_in_desk.failed.connect(self._on_failed)
        self.quit_guard.confirmed.connect(self.close)
        self.interrupted.show_uploads.connect(self._show_in_transfers)
        self.edits.refresh_wanted.connect(self.listing.reader.read_soon)
        self.standing.retry_wanted.connect(self._refresh)
        self.standing.try_now_wanted.connect(self._try_now)
        self.standing.back_online.connect(self.desk.go_on)
        self.network.came_back.connect(self._try_now)
        self.desk.cut_off.connect(self._refresh)
        self.standing.sign_in_wanted.connect(self.sign_in_desk.open)
        self.files.files_chosen.connect(self._open_files)
        self._inbox.account_changed.connect(lambda event: self._on_account(event.account, event.reason))

    # -- what the parts say ------------------------------------------------------------------------------------------

    def _on_list_changed(self) -> None:
        listing = self.listing
        self.toolbar.set_upload_is_primary(listing.case not in (EmptyCase.NO_DATASETS, EmptyCase.SIGNED_OUT))
        self.status.show_page(
            listing.reader.page,
            extra=listing.model.extra_count,
            size_bytes=sum(row.size_bytes for row in listing.model.rows),
            unfiltered=listing.reader.total_unfiltered,
            is_online=self.standing.is_online,
        )
        self.arrangement.show_details(is_useful=listing.case in (None, EmptyCase.NO_MATCH))
        self._on_selection_changed()

    def _on_selection_changed(self) -> None:
        self.row_commands.refresh()
        if not self.details.isHidden():
            self.details.show_rows(self.table.selected_rows)

    def _on_answered(self) -> None:
        self.standing.on_answer()
        self._show_connection()
        self._on_list_changed()

    def _on_failed(self, error: LorryError) -> None:
        self.standing.on_failure(error, self.listing.reader.read_at)
        self._show_connection()
        self._on_list_changed()

    def _on_account(self, account: Account | None, reason: LorryError | None) -> None:
        self._show_account(account)
        if account is not None:
            self.standing.on_answer()
            self.interrupted.take_up()
        else:
            self.standing.on_no_account(reason)
            self.interrupted.forget()
            if reason is not None and self.listing.reader.page is not None:
                # The session ran out; what is on screen is still this user's, and stays.
                self._on_list_changed()
                return
        self.edits.forget()
        self.listing.start(reason)
        self._show_connection()

    def _show_account(self, account: Account | None) -> None:
        self._account = account
        self.commands.sign_in.setVisible(account is None)
        self.commands.sign_out.setVisible(account is not None)
        self.setWindowTitle(f"Lorry – {account.project}" if account else "Lorry")
        self.files.project = account.project if account else ""
        self._show_connection()

    def _on_empty_action(self, case: EmptyCase) -> None:
        match case:
            case EmptyCase.NO_DATASETS:
                self._open_files([])
            case EmptyCase.NO_MATCH:
                self.listing.filters.clear()
            case EmptyCase.SIGNED_OUT:
                self.sign_in_desk.open()
            case _:
                self._refresh()

    # -- what the user does ------------------------------------------------------------------------------------------

    def open_paths(self, paths: list[Path]) -> None:
        """Offer files named at the start."""
        if paths:
            self.files.open(paths)

    def _open_files(self, paths: list[Path]) -> None:
        if self._client.account is None:
            self.sign_in_desk.open()
            return
        self.desk.open_files(paths)

    def _show_dataset(self, dataset_id: UUID) -> None:
        self.raise_()
        self.activateWindow()
        self.commands.details.setChecked(True)
        self.listing.show_dataset(dataset_id)

    def _show_in_transfers(self, dataset_id: UUID) -> None:
        self.commands.transfers.setChecked(True)
        self.transfers.refresh()
        self.transfers.table.select(dataset_id)
        self.transfers.table.setFocus()

    def _try_now(self) -> None:
        self.desk.go_on()
        self._refresh()

    def _refresh(self) -> None:
        if self._client.account is not None:
            self.listing.reader.read(force=True)
            return
        if self.listing.reader.page is None:
            self.listing.connecting()
        self._inbox.run(
            self._client.connect, lambda _account: None, lambda error: self._on_account(None, error), receiver=self
        )

    # -- what Qt calls -----------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.files.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self.files.move(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.files.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        self.files.drop(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrangement.fit_columns()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.quit_guard.may_close():
            event.ignore()
            return
        self.arrangement.save()
        super().closeEvent(event)

    def _count_kept(self) -> int:
        return sum(1 for transfer in self._client.snapshot() if transfer.state not in _OVER)

    def _show_connection(self) -> None:
        self.toolbar.show_connection(self._account, is_online=self.standing.is_online)
