"""Does what the user wants with uploads: buttons, keys and menus of the panel end in calls of the client here.

They are handed to the inbox, which has them done one after the other on a task thread: the client writes wishes to the
disk. What is asked before it is done stands here too. Main thread only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from PySide6.QtCore import QModelIndex, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QWidget

from lorry.core.errors import ErrorCode, LorryError
from lorry.core.transfers import Transfer, TransferState
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.question import Question
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.window_memory import SettingsStore
from lorry.gui.transfers.actions import MOST_WORKERS, TransferActions
from lorry.gui.transfers.cancel_words import cancel_words
from lorry.gui.transfers.lines import RowAction
from lorry.gui.transfers.model import Role, can_move
from lorry.gui.transfers.moved_file import MovedFile
from lorry.gui.transfers.panel import TransfersPanel
from lorry.gui.transfers.speed_limit import SpeedLimitDialog
from lorry.text.error_text import describe, details

if TYPE_CHECKING:
    from lorry.core.client import Client

_SOON_MS = 50
_WORKERS, _LIMIT = "transfers.workers", "transfers.limit_bps"


class TransferDesk(QObject):
    """Signals:
    show_upload(UUID): the user wants to see this upload's dialog.
    sign_in_wanted(): an upload waits for it.
    """

    show_upload = Signal(object)
    sign_in_wanted = Signal()

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        theme: Theme,
        notices: NoticeBar,
        panel: TransfersPanel,
        actions: TransferActions,
        settings: SettingsStore,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._client, self._inbox, self._theme, self._window = client, inbox, theme, window
        self._notices, self._panel, self._actions, self._settings = notices, panel, actions, settings
        self._moved = MovedFile(client, inbox, window)
        self._moved.refused.connect(self._on_relocate_failed)
        self._question: Question | None = None
        self._limit_dialog: SpeedLimitDialog | None = None
        # A hundred rows that change are one look at what can be done with the selected ones.
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(self._refresh_actions)
        self._connect_table()
        self._connect_actions()
        self._recall()
        self._refresh_actions()

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer, or None."""
        return self._question

    @property
    def limit_dialog(self) -> SpeedLimitDialog | None:
        """The dialog for a limit of one's own, or None."""
        return self._limit_dialog

    def _connect_table(self) -> None:
        table = self._panel.table
        table.opened.connect(self.show_upload)
        table.act_wanted.connect(self.act)
        table.cancel_wanted.connect(self.cancel)
        table.shift_wanted.connect(self.shift)
        table.drop_wanted.connect(self.put_before)
        table.selection_changed.connect(self._soon.start)
        self._panel.model.dataChanged.connect(self._on_data_changed)
        self._panel.rows_changed.connect(self._soon.start)

    def _connect_actions(self) -> None:
        actions, table = self._actions, self._panel.table
        actions.show.triggered.connect(self._show_selected)
        actions.act.triggered.connect(lambda: self.act(table.selected_ids))
        actions.cancel.triggered.connect(lambda: self.cancel(table.selected_ids))
        actions.up.triggered.connect(lambda: self.shift(-1))
        actions.down.triggered.connect(lambda: self.shift(1))
        actions.copy_details.triggered.connect(self._copy_details)
        actions.pause_all.triggered.connect(lambda: self._inbox.do(self._client.pause_all))
        actions.resume_all.triggered.connect(lambda: self._inbox.do(self._client.resume_all))
        actions.retry_all.triggered.connect(lambda: self._inbox.do(self._client.retry_all))
        actions.cancel_all.triggered.connect(self._ask_to_cancel_all)
        for number, action in actions.workers.items():
            action.triggered.connect(partial(self._set_workers, number))
        for limit, action in actions.limits.items():
            action.triggered.connect(partial(self.set_limit, limit))
        actions.custom_limit.triggered.connect(self._ask_for_limit)

    # One or several uploads

    def act(self, dataset_ids: list[UUID]) -> None:
        """Pause those that run or wait; where there is none, resume those paused; else what each of them offers."""
        model = self._panel.model
        found = [(one, model.action(number)) for one in dataset_ids if (number := model.find(one)) is not None]
        kinds = {action for _one, action in found}
        for kind, call in (
            (RowAction.PAUSE, self._client.pause_upload),
            (RowAction.RESUME, self._client.resume_upload),
        ):
            if kind in kinds:
                for one, action in found:
                    if action is kind:
                        self._inbox.do(partial(call, one))
                return
        for one, action in found:
            self._recover(one, action)

    def cancel(self, dataset_ids: list[UUID]) -> None:
        """Give uploads up; asks first where the server already keeps a part."""
        # As they stand now: what is on screen may be a tenth of a second old.
        chosen = [transfer for transfer in self._client.snapshot() if transfer.dataset_id in dataset_ids]
        if any(transfer.progress.stored_bytes for transfer in chosen):
            self._ask(chosen)
        elif chosen:
            self._cancel(chosen)

    def shift(self, places: int) -> None:
        """Move the selected waiting uploads one place up (-1) or down (1)."""
        order = [transfer.dataset_id for transfer in self._panel.model.transfers if can_move(transfer)]
        chosen = [one for one in self._panel.table.selected_ids if one in order]
        for one in chosen if places < 0 else reversed(chosen):
            number = order.index(one)
            other = number + places
            if 0 <= other < len(order) and order[other] not in chosen:
                order[number], order[other] = order[other], one
        for one in reversed(chosen):
            behind = order.index(one) + 1
            before = order[behind] if behind < len(order) else None
            self._inbox.do(partial(self._client.move_upload, one, before))

    def put_before(self, dataset_ids: list[UUID], before: UUID | None) -> None:
        """Bring uploads in this order to the place in front of another; None is the end of the queue."""
        for one in reversed(dataset_ids):
            self._inbox.do(partial(self._client.move_upload, one, before))
            before = one

    def _recover(self, dataset_id: UUID, action: RowAction) -> None:
        (transfer,) = self._transfers([dataset_id])
        match action:
            case RowAction.RETRY | RowAction.START_AGAIN:
                self._inbox.do(partial(self._client.retry_upload, dataset_id))
            case RowAction.SIGN_IN:
                self.sign_in_wanted.emit()
            case RowAction.CHOOSE_FILE:
                if transfer.error is not None and transfer.error.code is ErrorCode.FILE_MISSING:
                    self._moved.ask(transfer)
                else:
                    self.show_upload.emit(dataset_id)

    def _on_relocate_failed(self, error: LorryError) -> None:
        words = describe(error)
        self._notices.post(Notice("relocate", Urgency.RESULT, words.what, words.meaning, icon="circle-x", tone="error"))

    # Questions

    def _ask_to_cancel_all(self) -> None:
        self._ask([t for t in self._panel.model.transfers if t.state is not TransferState.DONE])

    def _ask(self, transfers: list[Transfer]) -> None:
        if self._question is not None or not transfers:
            return
        words = cancel_words(transfers)
        self._question = Question(self._theme, self._window, words.question, words.meaning, yes=words.yes, no=words.no)
        self._question.finished.connect(partial(self._on_question_finished, [t.dataset_id for t in transfers]))
        self._question.open()

    def _on_question_finished(self, dataset_ids: list[UUID], code: int) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.deleteLater()
        if code == QDialog.DialogCode.Accepted:
            self._cancel(self._transfers(dataset_ids))

    def _cancel(self, transfers: list[Transfer]) -> None:
        for transfer in transfers:
            self._inbox.do(partial(self._client.cancel_upload, transfer.dataset_id))

    # All of them

    def _set_workers(self, workers: int) -> None:
        self._client.workers = workers
        self._settings.set(_WORKERS, workers)
        self._panel.header.show_workers(workers)

    def set_limit(self, limit_bps: int | None) -> None:
        """Limit all uploads together to so many bytes a second; None takes the limit away."""
        self._client.bandwidth_limit_bps = limit_bps
        self._settings.set(_LIMIT, limit_bps)
        self._panel.header.show_limit(limit_bps)

    def _ask_for_limit(self) -> None:
        # What holds stays marked until another limit is set.
        self._actions.show_limit(self._client.bandwidth_limit_bps)
        self._limit_dialog = SpeedLimitDialog(self._theme, self._window, self._client.bandwidth_limit_bps)
        self._limit_dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._limit_dialog.chosen.connect(self.set_limit)
        self._limit_dialog.destroyed.connect(self._on_limit_dialog_destroyed)
        self._limit_dialog.open()

    def _on_limit_dialog_destroyed(self) -> None:
        self._limit_dialog = None

    def _recall(self) -> None:
        """Take up what the user chose last time; anything else that was written there is ignored."""
        workers: Any = self._settings.get(_WORKERS)
        if type(workers) is int and 1 <= workers <= MOST_WORKERS:
            self._client.workers = workers
        limit_bps: Any = self._settings.get(_LIMIT)
        if type(limit_bps) is int and limit_bps > 0:
            self._client.bandwidth_limit_bps = limit_bps
        self._panel.header.show_workers(self._client.workers)
        self._panel.header.show_limit(self._client.bandwidth_limit_bps)

    # What holds now

    def _transfers(self, dataset_ids: list[UUID]) -> list[Transfer]:
        model = self._panel.model
        return [model.transfer(number) for one in dataset_ids if (number := model.find(one)) is not None]

    def _refresh_actions(self) -> None:
        model, actions = self._panel.model, self._actions
        chosen = self._transfers(self._panel.table.selected_ids)
        kinds = [model.action(number) for t in chosen if (number := model.find(t.dataset_id)) is not None]
        actions.show.setEnabled(bool(chosen))
        actions.cancel.setEnabled(bool(chosen))
        actions.copy_details.setEnabled(any(transfer.error is not None for transfer in chosen))
        can_be_moved = any(can_move(transfer) for transfer in chosen)
        actions.up.setEnabled(can_be_moved)
        actions.down.setEnabled(can_be_moved)
        preferred = (RowAction.PAUSE, RowAction.RESUME, *kinds)
        action = next((kind for kind in preferred if kind in kinds), RowAction.NONE)
        actions.act.setEnabled(action is not RowAction.NONE)
        text = f"&{action.word or RowAction.PAUSE.word}\tSpace"
        if actions.act.text() != text:
            actions.act.setText(text)
            self._theme.bind_icon(actions.act, action.icon or RowAction.PAUSE.icon)

    def _on_data_changed(self, _first: QModelIndex, _last: QModelIndex, roles: list[int]) -> None:
        if Role.LINE.value in roles and not self._soon.isActive():
            self._soon.start()

    def _show_selected(self) -> None:
        for dataset_id in self._panel.table.selected_ids[:1]:
            self.show_upload.emit(dataset_id)

    def _copy_details(self) -> None:
        errors = [t.error for t in self._transfers(self._panel.table.selected_ids) if t.error is not None]
        if errors:
            QGuiApplication.clipboard().setText("\n\n".join(details(error) for error in errors))
