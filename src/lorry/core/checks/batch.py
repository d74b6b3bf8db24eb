"""The quick way: a block of lines in which nothing is wrong is decoded and counted as a whole.

`take_block` either takes all rows of a block, with exactly the result the rules would give one by one, or changes
nothing and says so; then the reader halves the block until the odd rows stand alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from operator import add

import msgspec

from lorry.core.checks import skeleton
from lorry.core.checks.formats import ConversationRow, PairGroup, PairRow
from lorry.core.checks.intake import Intake, Run

_CONVERSATIONS = msgspec.json.Decoder(ConversationRow)
_PAIRS = msgspec.json.Decoder(PairRow)
_CONVERSATION_LIST = msgspec.json.Decoder(list[ConversationRow])
_PAIR_LIST = msgspec.json.Decoder(list[PairRow])
_GROUP_LIST = msgspec.json.Decoder(list[PairGroup])


def take_block(intake: Intake, block: bytes, first_line: int) -> int:
    """Take a block of whole lines if nothing in it is wrong and return their number; else change nothing, return 0."""
    reduced = skeleton.reduce(block)
    lines = reduced.count(b"\n")
    if not skeleton.is_one_row_a_line(reduced, lines):
        return 0
    places = range(first_line, first_line + lines)

    def is_sound() -> bool:
        return skeleton.is_sound(block, reduced, skeleton.opener_counts_of_lines(reduced))

    taken = False
    try:
        if intake.kind == "conversation":
            taken = _take_conversations(intake, _CONVERSATIONS.decode_lines(block), is_sound, places)
        elif intake.kind == "pair":
            taken = _take_pairs(intake, _PAIRS.decode_lines(block), is_sound, places)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return lines if taken else 0


def take_elements(intake: Intake, elements: bytes, opener_counts: Sequence[int], places: Sequence[int]) -> bool:
    """Take elements of a list, as they stand between its brackets; if anything is wrong change nothing, return False.

    `opener_counts` bounds the opening brackets of each element, `places` has one integer for each.
    """
    block = b"[" + elements + b"]"

    def is_sound() -> bool:
        return skeleton.is_sound(block, skeleton.reduce(block), opener_counts)

    try:
        if intake.kind == "conversation":
            return _take_conversations(intake, _CONVERSATION_LIST.decode(block), is_sound, places)
        if intake.kind == "pair":
            return _take_pairs(intake, _PAIR_LIST.decode(block), is_sound, places)
        if intake.kind == "pair_group":
            return _take_groups(intake, _GROUP_LIST.decode(block), is_sound, places)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return False


@lru_cache(maxsize=4096)
def _pairs_in(roles: tuple[str, ...]) -> int:
    """Training pairs of a conversation with these roles; -1 if it has no assistant turn."""
    pairs = 0
    user_before = False
    for role in roles:
        user_before = user_before or role == "user"
        pairs += role == "assistant" and user_before
    return pairs if "assistant" in roles else -1


def _all_written(texts: list[str]) -> bool:
    """Whether no text is blank."""
    return "" not in texts and not any(map(str.isspace, texts))


def _take_conversations(
    intake: Intake, rows: list[ConversationRow], is_sound: Callable[[], bool], places: Sequence[int]
) -> bool:
    if len(rows) != len(places):
        return False
    ids = [row.conversation_id for row in rows]
    turn_lists = [row.turns for row in rows]
    turns = list(chain.from_iterable(turn_lists))
    contents = [turn.content for turn in turns]
    roles = [turn.role for turn in turns]
    if not _all_written(ids) or not _all_written(contents):
        return False
    sizes = list(map(len, turn_lists))
    ends = list(accumulate(sizes, initial=0))
    # Nearly all conversations alternate; then all second turns are answers.
    alternate = not any(size & 1 for size in sizes) and roles == ["user", "assistant"] * (len(roles) // 2)
    if alternate:
        pairs = [size // 2 for size in sizes]
    else:
        pairs = [_pairs_in(tuple(roles[start:end])) for start, end in pairwise(ends)]
    if min(pairs) < (1 if alternate else 0) or not is_sound():
        return False

    words = [content.count(" ") + 1 for content in contents]
    sums = list(accumulate(words, initial=0))
    statistics = intake.statistics
    statistics.conversations += len(rows)
    statistics.turns += len(turns)
    statistics.words += sums[-1]
    statistics.training_pairs += sum(pairs)
    statistics.turns_per_conversation.update(sizes)
    statistics.words_per_conversation.update([sums[end] - sums[start] for start, end in pairwise(ends)])
    if alternate:
        statistics.add_texts("user", words[::2])
        statistics.add_texts("assistant", words[1::2])
    else:
        for (role, count), number in Counter(zip(roles, words, strict=True)).items():
            statistics.words_per_text[role][count] += number
    intake.conversation_ids.add_hashes(map(hash, ids), places)
    return True


def _take_pairs(intake: Intake, rows: list[PairRow], is_sound: Callable[[], bool], places: Sequence[int]) -> bool:
    if len(rows) != len(places):
        return False
    hashes = [hash(row.conversation_id) for row in rows]
    numbers = [row.turn_number for row in rows]
    if (
        not _all_written([row.current_user_input for row in rows])
        or not _all_written([row.target_response for row in rows])
        or not _all_written([row.conversation_id for row in rows])
        or not _rises(intake.run, hashes, numbers)
        or not is_sound()
    ):
        return False
    words = _count_pairs(intake, rows)
    intake.pair_ids.add_hashes((hash(row.id) for row in rows), places)
    run = intake.run
    for index, hashed in enumerate(hashes):
        if run is None or run.hashed != hashed:
            intake.close_run()
            run = intake.run = Run(hashed, places[index], numbers[index])
        run.last_turn = numbers[index]
        run.turns += 2
        run.words += words[index]
    return True


def _take_groups(intake: Intake, groups: list[PairGroup], is_sound: Callable[[], bool], places: Sequence[int]) -> bool:
    if len(groups) != len(places):
        return False
    for group in groups:
        pairs = group.training_pairs
        numbers = [pair.turn_number for pair in pairs]
        if (
            not pairs
            or not group.conversation_metadata.conversation_id.strip()
            or not _all_written([pair.current_user_input for pair in pairs])
            or not _all_written([pair.target_response for pair in pairs])
            or not _all_written([pair.conversation_id for pair in pairs])
            or any(later <= earlier for earlier, later in pairwise(numbers))
            or len({pair.id for pair in pairs}) != len(pairs)
        ):
            return False
    if not is_sound():
        return False
    for group in groups:
        words = _count_pairs(intake, group.training_pairs)
        intake.statistics.add_conversation(2 * len(words), sum(words))
    intake.conversation_ids.add_hashes((hash(group.conversation_metadata.conversation_id) for group in groups), places)
    return True


def _count_pairs(intake: Intake, rows: list[PairRow]) -> list[int]:
    """Count the texts of pairs that are in order; returns the words of each pair."""
    questions = [row.current_user_input.count(" ") + 1 for row in rows]
    answers = [row.target_response.count(" ") + 1 for row in rows]
    words = list(map(add, questions, answers))
    statistics = intake.statistics
    statistics.training_pairs += len(rows)
    statistics.turns += 2 * len(rows)
    statistics.words += sum(words)
    statistics.add_texts("user", questions)
    statistics.add_texts("assistant", answers)
    statistics.add_texts("system", [row.system_prompt.count(" ") + 1 for row in rows if row.system_prompt is not None])
    return words


def _rises(run: Run | None, hashes: list[int], numbers: list[int]) -> bool:
    """Whether turn numbers rise within every run of equal conversations, the open one included."""
    last_hash, last_number = (run.hashed, run.last_turn) if run is not None else (None, 0)
    for hashed, number in zip(hashes, numbers, strict=True):
        if hashed == last_hash and number <= last_number:
            return False
        last_hash, last_number = hashed, number
    return True
