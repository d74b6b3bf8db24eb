"""What an upload does on the server besides sending: make its row, prove its object, take everything back.

Nothing half-made stays behind: a row whose file may not be sent goes again, and a given-up upload loses its unfinished
upload, its object and its row, in this order, because each is only reachable while the next one exists.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from lorry.core.errors import ConflictError, LorryError, RejectedError, SourceError, during
from lorry.core.model import DatasetDraft, UploadTicket
from lorry.core.sending import Remote, Sender
from lorry.core.source import SourceFile
from lorry.core.transfers import UploadJob

#: A connection cut after the last byte may still store the object; a given-up upload looks for it this long (s).
_LATE_OBJECT_S, _LOOK_EVERY_S = 2.0, 0.25
#: How much of a stored object is read back.
_TAIL_BYTES = 64 * 1024


def create_dataset(remote: Remote, dataset_id: UUID, user_id: UUID, path: str, draft: DatasetDraft) -> UploadTicket:
    """Make the row with status 'uploading', then get leave to send the file.

    If signing fails the row is taken back and the error of the signing is raised.

    Raises:
        LorryError: with `step` "create the dataset".
    """
    with during("create the dataset"):
        remote.datasets.insert(dataset_id, user_id, path, draft)
        try:
            return remote.objects.sign_upload(dataset_id, path)
        except LorryError as error:
            try:
                remote.datasets.purge(dataset_id)
            except LorryError as second:
                error.detail += f"; and the row could not be taken back: {second}"
            raise


def is_object_whole(remote: Remote, job: UploadJob) -> bool:
    """Read the end of the stored object back: after a lost answer a row of the right size may have no bytes.

    Compared with the file while that is what was sent; without the file, bytes of the right number have to do.

    Raises:
        LorryError: it could not be read.
    """
    size_bytes = job.stamp.size_bytes
    count = min(_TAIL_BYTES, size_bytes)
    tail = remote.objects.tail(job.storage_path, size_bytes, count)
    try:
        with SourceFile.open_same(job.path, job.stamp) as source:
            return tail == b"".join(source.blocks(size_bytes - count))
    except SourceError:
        return True


def take_back(remote: Remote, sender: Sender, *, may_arrive_late: bool) -> None:
    """Remove the unfinished upload, the object and the row of a job. Repeatable.

    Raises:
        LorryError: it could not be removed now.
        Cancelled: the sender's token was set while waiting.
    """
    job = sender.job
    with suppress(ConflictError, RejectedError):  # finished, gone, or not allowed any more: nothing to drop
        sender.drop()
    waited_s = 0.0
    while may_arrive_late and waited_s < _LATE_OBJECT_S and remote.objects.info(job.storage_path) is None:
        sender.token.wait(_LOOK_EVERY_S)
        waited_s += _LOOK_EVERY_S
    remote.objects.remove(job.storage_path)
    remote.datasets.purge(job.dataset_id)
