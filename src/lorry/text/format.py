"""How numbers, dates, names and states are written, for every front end.

Pure functions of their arguments (and, for dates, of the clock): no Qt, no locale of the process, any thread.
Sizes are decimal, as the server counts them; digits are grouped with commas.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime, timedelta

from lorry.core.errors import ErrorCode
from lorry.core.model import Dataset, DatasetFormat, DatasetStatus
from lorry.core.transfers import Phase, RestartReason, Transfer, TransferState, WaitReason

MISSING = "–"

_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORMATS = {DatasetFormat.BRIGHTRUN_LORA_V4: "v4", DatasetFormat.BRIGHTRUN_LORA_V3: "v3"}
_PHASES = {
    Phase.CHECKING: "Checking",
    Phase.UPLOADING: "Uploading",
    Phase.FINISHING: "Finishing",
    Phase.VERIFYING: "Verifying",
    Phase.VALIDATING: "Server validation",
}
_RESTARTS = {
    RestartReason.DROPPED: "the server had dropped the unfinished upload",
    RestartReason.UNFINISHED: "the server had not kept what was sent",
    RestartReason.DAMAGED: "the stored file was damaged",
    RestartReason.CHANGED: "the file has changed",
}
#: Joiners that change how letters connect; every other invisible format character is shown as its number.
_JOINERS = "\u200c\u200d"


def _unit(size_bytes: float) -> tuple[int, str]:
    """The largest unit whose lower neighbour would read "1000.0" or more; (1, "bytes") below 1 kB."""
    for factor, name in _UNITS:
        if round(size_bytes * 1_000 / factor, 1) >= 1_000:
            return factor, name
    return 1, "bytes"


def size(size_bytes: int) -> str:
    """As "480.2 MB", "1 byte", "999 bytes"."""
    factor, name = _unit(size_bytes)
    if factor == 1:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    return f"{size_bytes / factor:,.1f} {name}"


def rough_size(size_bytes: int) -> str:
    """As "201 MB", "6.2 MB": a place in a file, rounded down; only small numbers need a digit after the point."""
    factor, name = _unit(size_bytes)
    value = math.floor(size_bytes * 10 / factor) / 10
    return size(size_bytes) if factor == 1 else f"{value:,.1f} {name}" if value < 10 else f"{int(value):,} {name}"


def exact_size(size_bytes: int) -> str:
    """As "524,288,001 bytes": for two sizes that would read the same when rounded."""
    return "1 byte" if size_bytes == 1 else f"{size_bytes:,} bytes"


def size_of(done_bytes: int, size_bytes: int) -> str:
    """As "312.0 of 480.2 MB": both numbers in the unit of the whole; the first as `size_so_far` rounds it."""
    return f"{size_so_far(done_bytes, size_bytes).rpartition(' ')[0]} of {size(size_bytes)}"


def size_so_far(done_bytes: int, size_bytes: int) -> str:
    """As "312.0 MB": a part in the unit of the whole, rounded down, so that it reads as the whole only when it is."""
    factor, name = _unit(size_bytes)
    if factor == 1:
        return size(done_bytes)
    done = size_bytes / factor if done_bytes >= size_bytes else math.floor(done_bytes * 10 / factor) / 10
    return f"{done:,.1f} {name}"


def rate(rate_bps: float) -> str:
    """As "6.1 MB/s" from bytes a second."""
    whole = round(max(0.0, rate_bps))
    return f"{whole} B/s" if _unit(whole)[0] == 1 else f"{size(whole)}/s"


def remaining(seconds: float | None) -> str:
    """As "about 30 s left", "about 4 min left"; "" when nobody knows. Rounded up, coarsely."""
    if seconds is None:
        return ""
    if seconds <= 5:
        return "a few seconds left"
    rounded_s = math.ceil(seconds / 5) * 5
    if rounded_s < 60:
        return f"about {rounded_s} s left"
    minutes = math.ceil(seconds / 60)
    return f"about {minutes} min left" if minutes < 60 else f"about {math.ceil(minutes / 60)} h left"


def duration(seconds: float) -> str:
    """A wait that counts down: "12 s", "2 min"; never "0 s"."""
    whole = max(1, math.ceil(seconds))
    return f"{whole} s" if whole < 100 else f"{math.ceil(whole / 60)} min"


def count(number: int | None) -> str:
    """As "5,418"; a dash for a number nobody knows."""
    return MISSING if number is None else f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """As "1 error", "12 errors"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int | None) -> str:
    """As "≈ 2.28 M": an estimate, so three digits are enough; a dash for a number nobody knows."""
    if number is None:
        return MISSING
    for factor, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        value = float(f"{number / factor:.3g}")
        if value >= 1:
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"≈ {value:.{digits}f} {unit}"
    return f"≈ {number}"


def date(moment: datetime, now: datetime | None = None) -> str:
    """As "Today 14:31", "Yesterday 17:20", "9 Mar 2026", in local time. Both arguments are aware."""
    local = moment.astimezone()
    today = (now.astimezone() if now else datetime.now().astimezone()).date()
    if local.date() == today:
        return f"Today {local:%H:%M}"
    if local.date() == today - timedelta(days=1):
        return f"Yesterday {local:%H:%M}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def full_date(moment: datetime) -> str:
    """As "9 Mar 2026, 17:20:05 UTC+01:00": the whole local time, for a tooltip."""
    local = moment.astimezone()
    offset = local.strftime("%z")
    zone = f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+0") else "UTC"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M:%S} {zone}"


def format_short(dataset_format: str) -> str:
    """As "v4" for a table cell; an unknown format is shown as the server names it."""
    known = dataset_format in DatasetFormat.__members__.values()
    return _FORMATS[DatasetFormat(dataset_format)] if known else safe_name(dataset_format)


def format_label(dataset_format: str) -> str:
    """As "BrightRun v4" for fields and sentences."""
    short = format_short(dataset_format)
    return f"BrightRun {short}" if short in _FORMATS.values() else short


def status_word(dataset: Dataset) -> str:
    """What the status badge of a row says when no transfer of this computer belongs to it."""
    if dataset.deleted_at is not None:
        return "Deleted"
    if dataset.status is DatasetStatus.ERROR:
        errors = dataset.finding_counts.get("error", 0)
        return plural(errors, "error") if errors else "Failed"
    return {
        DatasetStatus.UPLOADING: "Incomplete",
        DatasetStatus.VALIDATING: "Validating",
        DatasetStatus.READY: "Ready",
    }[dataset.status]


def phase_word(phase: Phase) -> str:
    """One step of the phase strip."""
    return _PHASES[phase]


def transfer_word(transfer: Transfer) -> str:
    """What the badge says while this computer holds the upload: "Uploading 62 %", "Paused 31 %", "Waiting"."""
    if transfer.state is TransferState.FAILED:
        return "Failed"
    if transfer.state is TransferState.DONE:
        return status_word(transfer.dataset) if transfer.dataset else "Validating"
    if transfer.state is not TransferState.RUNNING:
        word = "Paused" if transfer.state is TransferState.PAUSED else "Waiting"
        percent = stored_percent(transfer)
        return f"{word} {percent} %" if percent else word
    if transfer.phase is Phase.UPLOADING:
        return f"Uploading {transfer.progress.percent} %"
    if transfer.phase is Phase.VALIDATING:
        return "Validating"
    return "Checking" if transfer.phase is Phase.CHECKING else "Finishing"


def stored_percent(transfer: Transfer) -> int:
    """How much of an upload that stands still the server keeps; whole percent, rounded down, at most 99."""
    progress = transfer.progress
    return min(99, progress.stored_bytes * 100 // progress.size_bytes) if progress.size_bytes else 0


def transfer_detail(transfer: Transfer) -> str:
    """What an upload does beyond its phase: why it waits, where it went on; "" for nothing to add."""
    if transfer.state is TransferState.WAITING:
        return _wait_detail(transfer)
    if transfer.state is not TransferState.RUNNING:
        return ""
    if transfer.is_rereading:
        return "Reading the file again to resume"
    progress = transfer.progress
    if transfer.phase is Phase.UPLOADING and progress.sent_bytes >= progress.size_bytes:
        return "Everything is sent. Waiting for the server to confirm it"
    return begin_detail(transfer)


def begin_detail(transfer: Transfer) -> str:
    """Where an upload was taken up again, or why it had to begin anew; "" for one that simply began."""
    if transfer.restarted is not None:
        return f"Started again from zero: {_RESTARTS[transfer.restarted]}"
    if transfer.resumed_at_bytes:
        return f"Resumed at {rough_size(transfer.resumed_at_bytes)}"
    return ""


def _wait_detail(transfer: Transfer) -> str:
    reason = transfer.waits_for
    again = "" if transfer.retry_in_s is None else f"rying again in {duration(transfer.retry_in_s)}"
    if reason is WaitReason.SIGN_IN:
        return "Waiting until you sign in"
    if reason is WaitReason.NETWORK:
        return f"Waiting for the network, t{again}" if again else "Waiting for the network"
    if reason is WaitReason.DISK:
        is_full = transfer.error is None or transfer.error.code is ErrorCode.DISK_FULL
        why = "the disk is full" if is_full else "another program holds Lorry's files"
        return f"T{again}, {why}" if again else f"Waiting, {why}"
    if reason is WaitReason.FILE:
        return f"T{again}, the file cannot be read" if again else "Waiting for the file"
    if reason is WaitReason.SERVER:
        return f"T{again}, the server is busy" if again else "Waiting for the server"
    return "Waiting for its turn"


def safe_name(text: str) -> str:
    """`text` with every character shown that would hide, reorder or break what surrounds it.

    Control characters become their pictures (U+2400 block), other invisible ones their number ("‹U+202E›").
    Letters of any script, and the joiners between them, stay.
    """
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if char not in _JOINERS and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"‹U+{code:04X}›"
    return char
