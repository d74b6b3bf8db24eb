"""The table of all findings: code, usual level, what it says, what to do, and exactly when it is made.

The one place where a rule is defined. Every implementation of the checks follows these definitions; the cases in
resources/checks hold them together. A rule's own code may say more in its message than the sentence here.

Words used in the definitions:

- *Row*: a line of a file of lines, an element of the main list of a document. Rows are split at LF alone; a CR before
  it belongs to the line end.
- *Position*: line and column from 1, columns in code points, a byte order mark not counted. A finding with a path is
  positioned where the value at the path starts; if a key is missing, where the innermost object on the way starts.
  If an object has a key twice, the last one counts.
- *Blank*: empty, or nothing but U+0009-000D, U+001C-0020, U+0085, U+00A0, U+1680, U+2000-200A, U+2028, U+2029, U+202F,
  U+205F and U+3000.
- *Meant role*: the role, if it is user, assistant or system; else the role without white space around and in lower
  case, if that is one; else the one `formats.ROLE_WORDS` names for it; else none.
- *Object turns*: the turns of a conversation that are objects; the others are C02 and looked at no further.
- *Texts of a row*: every `turns[i].content` of a conversation, and `system_prompt`, `current_user_input` and
  `target_response` of a pair, as far as they are text. `conversation_history` repeats them and is not searched.
- *Whole conversation*: at least one turn, every turn an object whose role and content are text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]

#: The row limits, in bytes, and the token limit of C17 unless the caller sets another one.
LONG_ROW_BYTES = 1_000_000
MAX_ROW_BYTES = 16 * 1024 * 1024
MAX_TOKENS = 4096
MIN_CONVERSATIONS = 10
#: Keys watched by F15; a file with more different keys than this keeps values of its own as keys.
MAX_WATCHED_KEYS = 1000
#: What the trainers allow by default (August 2025): TRL's `max_length` cuts, Axolotl's `sequence_len` drops.
TRL_TOKENS = 1024
AXOLOTL_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding. `level` is the usual one; a definition that names another says when it is taken."""

    code: str
    level: Level
    message: str
    suggestion: str
    definition: str


def _rule(code: str, level: Level, message: str, suggestion: str, definition: str) -> Rule:
    return Rule(code, level, message, suggestion, definition)


RULES: tuple[Rule, ...] = (
    _rule(
        "F01",
        "error",
        "The file is empty",
        "Choose another file",
        "The file has no byte but a byte order mark and space, tab, CR and LF. At line 1, column 1.",
    ),
    _rule(
        "F02",
        "error",
        "The file is over the size limit",
        "Split the file",
        "The file has more than 500 MiB (524,288,000 bytes). It is not read. At line 1, column 1.",
    ),
    _rule(
        "F03",
        "error",
        "A byte is not UTF-8",
        "Save the file as UTF-8",
        "A row is not UTF-8: one finding a row, at its first bad byte; the row is read on with U+FFFD for bad "
        "bytes. A character that the end of the file cuts in two is not meant.",
    ),
    _rule(
        "F04",
        "error",
        "The file is not UTF-8 text",
        "Save the file as UTF-8",
        "The file begins with a UTF-16 or UTF-32 byte order mark, or of its first 4,096 bytes three in eight or "
        "more are zero: at line 1, column 1, and nothing is read. Else the first NUL of a row: the row is read no "
        "further.",
    ),
    _rule(
        "F05",
        "warning",
        "Byte order mark at the start",
        "Save the file as UTF-8 without a byte order mark",
        "The file begins with EF BB BF. At line 1, column 1.",
    ),
    _rule(
        "F06",
        "info",
        "Windows line ends",
        "Fine as they are; LF is usual",
        "A file of lines has a line that ends with CR LF: once a file, at the first CR before an LF.",
    ),
    _rule(
        "F07",
        "error",
        "The file is one JSON array, not one object a line",
        "Write each object on a line",
        "The name ends in .jsonl or .ndjson and the file begins with [, unless its first line is JSON by itself and "
        "another list or object follows. Read as a document. At line 1, column 1.",
    ),
    _rule(
        "F08",
        "error",
        "Objects spread over several lines",
        "Write each object on one line",
        "Objects follow each other and the first one has a line end in it; or a .jsonl or .ndjson file is one "
        "document. Read as what it is. At line 1, column 1.",
    ),
    _rule(
        "F09",
        "warning",
        "Blank lines",
        "Remove the blank lines",
        "A file of lines has lines of nothing but space, tab and CR: once a file, at the first, with their number.",
    ),
    _rule(
        "F10",
        "error",
        "The last row is cut off",
        "Get the file again from where it was made",
        "Instead of R01 for the file's last row without a line end, if the text could go on: the error is at its "
        "end, in a text that is never closed, or in an unfinished word, number or escape at its end. For a "
        "document: the file ends inside.",
    ),
    _rule(
        "F11",
        "error",
        "The row is too long",
        "Split the row",
        "Error for a row over 16 MiB (16,777,216 bytes), which is not read; warning for one over 1,000,000 bytes. "
        "At the row.",
    ),
    _rule(
        "F12",
        "warning",
        "Control characters or garbled characters in the text",
        "Repair the text where it was made",
        "A text of the row has U+0000-0008, U+000B, U+000C, U+000E-001F, U+007F-009F or U+FFFD, or UTF-8 read as "
        "Windows-1252: U+00C2 or U+00C3 followed by U+0080-00BF or a character that Windows-1252 has at 80-9F; "
        "U+00E2 U+20AC; U+00EF U+00BB U+00BF; U+00F0 U+0178. Once a text, at the text.",
    ),
    _rule(
        "F13",
        "warning",
        "Too few conversations to learn from",
        "Collect at least 10",
        "The file has fewer than 10 conversations; none only counts if no error was found. At line 1, column 1.",
    ),
    _rule(
        "F14",
        "error",
        "Several layouts in one file",
        "Keep one layout in a file",
        "A row of a known kind follows rows of another kind: once for every other kind, at its first row.",
    ),
    _rule(
        "F15",
        "warning",
        "A key changes its type between rows",
        "Give the key one type in all rows",
        "A top-level key of conversation and pair rows that has no rule of its own (conversation_id, turns, id, "
        "turn_number, current_user_input, target_response, _meta have) holds another of text, number, boolean, "
        "list, object than where it first held one; null says nothing. Once a key, at the first row that differs. "
        "The first 1,000 different keys of a file are watched.",
    ),
    _rule(
        "F17",
        "warning",
        "The same content is already uploaded",
        "Keep the dataset that is there",
        "The SHA-256 of the whole file is among those the caller knows. At line 1, column 1.",
    ),
    _rule(
        "F18",
        "error",
        "Nested too deep",
        "Flatten the value",
        "A bracket outside of texts opens level 65 or deeper, in a row that may be broken: the row is read no further.",
    ),
    _rule(
        "F19",
        "error",
        "A number that cannot be read",
        "Write it as text in quotes",
        "NaN, Infinity or -Infinity; a number with fraction or exponent that is infinite as a 64-bit float; an "
        "integer outside -2^63 to 2^63-1. At every such number of a row.",
    ),
    _rule(
        "F20",
        "error",
        "Half of a character",
        "Write both halves of the pair, or remove it",
        "An escape of a surrogate without its other half. Once a row, at the first.",
    ),
    _rule(
        "F21",
        "warning",
        "A key is given twice in one object",
        "Remove one of the two",
        "A key of an object anywhere in a row, in metadata, or of the document itself equals an earlier key of the "
        "object, escapes resolved: every repetition, at the repeated key, path of the object and the key.",
    ),
    _rule(
        "R01",
        "error",
        "Not JSON",
        "Correct the row",
        "The row is no JSON text (RFC 8259, and NaN, Infinity, -Infinity, which are F19). In a document: what "
        "stands between and around the elements.",
    ),
    _rule(
        "R02",
        "error",
        "The row is not an object",
        "Write one object in { } for each row",
        "The row is JSON, but no object.",
    ),
    _rule(
        "R03",
        "error",
        "Neither a conversation nor a training pair",
        "A row needs conversation_id and turns, or the keys of a training pair",
        "`formats.row_kind` finds no kind: at every such row. A kind of another tool: once a file, at its first "
        "row, if no other kind was found before.",
    ),
    _rule(
        "C01",
        "error",
        "turns is missing, not a list, or empty",
        "Write turns as a list in [ ]",
        "Path turns; for a conversation of a v4 document path training_pairs.",
    ),
    _rule("C02", "error", "A turn is not an object", "Write role and content in { }", "Path turns[i]."),
    _rule(
        "C03",
        "error",
        "role or content is missing",
        "Add role and content to the turn",
        "Path turns[i].role or turns[i].content, one finding each.",
    ),
    _rule(
        "C04",
        "error",
        "Unknown role",
        "Use user, assistant or system",
        "The role is not exactly user, assistant or system. Path turns[i].role.",
    ),
    _rule("C05", "error", "The content is not text", "Write the content as text in quotes", "Path turns[i].content."),
    _rule(
        "C06",
        "error",
        "The content is blank",
        "Write the content or remove the turn",
        "Text content is blank: error if the meant role is assistant, warning if it is user. Path turns[i].content.",
    ),
    _rule(
        "C07",
        "error",
        "No assistant turn, so nothing to learn",
        "Add the answer or remove the conversation",
        "turns is a list with entries, and no object turn has the meant role assistant. Path turns.",
    ),
    _rule(
        "C08",
        "warning",
        "The conversation does not end with the assistant",
        "Add the answer or remove the last turn",
        "The last object turn has the meant role user or system, and another one assistant. Path turns[i].",
    ),
    _rule(
        "C09",
        "warning",
        "The same role twice in a row",
        "Merge the two turns",
        "The meant role of an object turn is user or assistant and that of the object turn before it too. Path "
        "turns[i].role, at every such turn.",
    ),
    _rule(
        "C10",
        "warning",
        "The conversation does not start with the user",
        "Add the user's turn or remove this one",
        "The first object turn whose meant role is not system has the meant role assistant. Path turns[i].role.",
    ),
    _rule(
        "C11",
        "warning",
        "A system turn is not the first one",
        "Keep one system turn, at the start",
        "The meant role is system and it is not the first object turn. Path turns[i].role, at every such turn.",
    ),
    _rule(
        "C16",
        "warning",
        "Chat-template tokens in the text",
        "Remove the tokens; the trainer adds them",
        "A text of the row matches `texts.TEMPLATE_TOKENS`. Once a text, at the text.",
    ),
    _rule(
        "C17",
        "warning",
        "Longer than the token limit",
        "Split the conversation or shorten it",
        "Estimated tokens over the limit (4,096). A conversation: text contents of its object turns, path turns. A "
        "pair: text system_prompt, text contents of conversation_history entries that are objects, text "
        "current_user_input and target_response; at the pair.",
    ),
    _rule(
        "C18",
        "error",
        "conversation_id is missing, blank, not text, or used twice",
        "Give every conversation an id of its own",
        "In conversations path conversation_id, in groups of a v4 document conversation_metadata.conversation_id (a "
        "group without conversation_metadata takes the id of its first pair). Blank also in pairs. A conversation "
        "or group whose id an earlier one has, at every such one.",
    ),
    _rule(
        "C19",
        "warning",
        "The conversation is an exact copy of an earlier one",
        "Remove one of the two",
        "A whole conversation has the same roles and contents as an earlier one. Path turns.",
    ),
    _rule(
        "C20",
        "warning",
        "Same history as before, different answer",
        "Keep the better answer",
        "A whole conversation of two turns or more that ends with the role assistant has the same turns before its "
        "last one as an earlier such conversation, and an answer not seen with them: path turns[i], the last. A "
        "pair with text current_user_input and text, not blank target_response has the same history as an earlier "
        "one and an answer not seen with it: path target_response. The history of a pair: role (empty if not text) "
        "and content of the conversation_history entries that are objects with text content, then "
        "current_user_input.",
    ),
    _rule(
        "C22",
        "warning",
        "A secret in the text",
        "Remove it and revoke it",
        "A text of the row matches `texts.SECRETS`. Once a text, at the text. The message shows four characters.",
    ),
    _rule(
        "C23",
        "warning",
        "Personal data in the text",
        "Remove it or replace it with an invented one",
        "A text of the row has e-mail addresses, IBANs with right check digits or card numbers with right check "
        "digit, as `texts` defines them. Once a text and kind, at the text.",
    ),
    _rule(
        "P01",
        "error",
        "A required key is missing",
        "Add the key",
        "id, conversation_id, turn_number, current_user_input or target_response is not in the pair: each, path the "
        "key.",
    ),
    _rule(
        "P02",
        "error",
        "A value has the wrong type",
        "Write text in quotes and numbers without",
        "id, conversation_id or current_user_input is not text; target_response is neither text nor null; "
        "turn_number is no integer; conversation_history is neither list nor null. Path the key.",
    ),
    _rule(
        "P03",
        "error",
        "The text is blank",
        "Write the text or remove the row",
        "target_response is blank or null: error; null in a document: info, the entry stands for the user's turn "
        "alone. current_user_input is blank: warning. Path the key.",
    ),
    _rule(
        "P05",
        "warning",
        "The pair is an exact copy of an earlier one",
        "Remove one of the two",
        "Same history and answer (see C20) as an earlier pair of the file. At the pair.",
    ),
    _rule(
        "P06",
        "error",
        "The id is used twice",
        "Make it unique",
        "The id of a pair equals an earlier one of the file; inside a v4 document, of the conversation. Path id.",
    ),
    _rule(
        "P07",
        "warning",
        "turn_number does not rise",
        "Put the pairs of a conversation in order",
        "turn_number is not larger than that of the pair before it in the same conversation. For pairs that do not "
        "stand together the first of a run is compared with the last of the run before. Path turn_number.",
    ),
    _rule(
        "P08",
        "error",
        "A history entry lacks role or content",
        "Add role and content to the entry",
        "conversation_history is a list: an entry that is no object, path conversation_history[i]; one without role "
        "or content, path with the key, one finding each.",
    ),
    _rule(
        "P09",
        "warning",
        "The history ends with another user text than current_user_input",
        "Let the history end with the current input or before it",
        "The last entry of conversation_history is an object with the role user and text content that differs from "
        "the text current_user_input. Path conversation_history[i].content.",
    ),
    _rule(
        "M01",
        "warning",
        "A declared total differs from the counted one",
        "Correct the total, or look for lost rows",
        "total_conversations, total_training_pairs or total_pairs, total_turns (which may be the turns or the "
        "pairs) of the first metadata object is an integer and another than counted. Path of the key.",
    ),
    _rule(
        "M02",
        "warning",
        "The file names another format than the chosen one",
        "Choose the format of the file",
        "`formats.format_of_metadata` finds a format, the caller chose another. Path of format_spec, or of version.",
    ),
    _rule(
        "M03",
        "error",
        "The metadata line is not the first",
        "Move it to the first line",
        "A row with _meta after another row. Path _meta.",
    ),
    _rule(
        "T01",
        "info",
        "LLaMA-Factory would drop conversations",
        "Let user and assistant take turns, the assistant last",
        "Number of conversations without a C finding of level error (C18 for an id used twice aside) whose roles, "
        "after a leading system turn, are not user and assistant in turns, beginning with user and ending with "
        "assistant. Once, at line 1, column 1, if any.",
    ),
    _rule(
        "T02",
        "info",
        "TRL would cut conversations",
        "Raise max_length, or split them",
        "Number of conversations without a C finding of level error over 1,024 estimated tokens. As T01.",
    ),
    _rule(
        "T03",
        "info",
        "Axolotl would drop conversations",
        "Raise sequence_len, or split them",
        "Number of conversations without a C finding of level error over 2,048 estimated tokens. As T01.",
    ),
    _rule(
        "T04",
        "info",
        "mistral-finetune would refuse conversations",
        "Let user and assistant take turns, the assistant last",
        "The same conversations as T01. As T01.",
    ),
)

RULE_OF_CODE: dict[str, Rule] = {rule.code: rule for rule in RULES}
