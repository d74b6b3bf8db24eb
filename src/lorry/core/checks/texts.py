"""What the texts of a row should not hold: garbled characters, template tokens, secrets and personal data.

`look_into` judges one text exactly. `suspects` finds in many texts at once, with a few fast passes, the few that are
worth the look; it may name innocent ones, never miss a guilty one. Pure; C-codes are defined in `rulebook.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Characters that Windows-1252 shows for the bytes 80 to 9F.
_WINDOWS_1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
GARBLED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]|[\u00c2\u00c3][\x80-\xbf" + _WINDOWS_1252 + "]"
    "|\u00e2\u20ac|\u00ef\u00bb\u00bf|\u00f0\u0178"
)

TEMPLATE_TOKENS = re.compile(
    r"<\|[A-Za-z0-9_]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    "|<\uff5c[A-Za-z0-9_\u2581]{1,40}\uff5c>"
)

#: Secrets by the prefixes their makers gave them. All but the PEM key have 16 letters and digits in a row.
SECRETS = re.compile(
    r"(?P<private_key>-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----)"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?P<cloud_key>(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_-]{0,19}[A-Za-z0-9]{16})"
    r"|(?P<api_key>sk-(?:[A-Za-z0-9_-]{0,100}[-_])?[A-Za-z0-9]{16}|[rs]k_live_[A-Za-z0-9]{16}|hf_[A-Za-z0-9]{30}"
    r"|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{16}|glpat-[A-Za-z0-9_-]{0,4}[A-Za-z0-9]{16}"
    r"|xox[abprs]-(?:[A-Za-z0-9]{1,20}-){0,3}[A-Za-z0-9]{16})"
    r"|(?P<token>eyJ[A-Za-z0-9]{13}[A-Za-z0-9_-]{0,2000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8})"
    r")"
)
_SECRET_WORDS = {"private_key": "private key", "cloud_key": "cloud key", "api_key": "API key", "token": "signed token"}

#: An address as most forms take it: the domain has a dot and ends in letters.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
#: ISO 13616, as one word or in groups of four; ten digits in a row (spaces left out) are asked for as well.
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|[A-Z0-9]{11,30})(?![A-Za-z0-9])"
)
_TEN_DIGITS = re.compile(r"[0-9]{10}")
#: Card numbers as they are printed: 4-4-4-(1 to 7) or 4-6-5, with spaces, with hyphens, or as one word.
_CARD = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|3[47][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{5})"
    r"(?![A-Za-z0-9])"
)
PERSONAL_KINDS = {"email": "e-mail address", "iban": "IBAN", "card": "card number"}


@dataclass(frozen=True, slots=True)
class TextFinding:
    """One thing wrong with a text. `kind` and `number` count personal data."""

    code: str
    message: str
    kind: str = ""
    number: int = 0


def look_into(text: str) -> Iterator[TextFinding]:
    """Yield what a text holds: F12, C16 and C22 at most once, C23 once for every kind."""
    garbled = GARBLED.search(text)
    if garbled is not None:
        code_points = " ".join(f"U+{ord(character):04X}" for character in garbled[0])
        what = "Control character" if len(garbled[0]) == 1 and garbled[0] != "\ufffd" else "Garbled character"
        yield TextFinding("F12", f"{what} {code_points} in the text")
    token = TEMPLATE_TOKENS.search(text)
    if token is not None:
        yield TextFinding("C16", f"The chat-template token {token[0][:44]} stands in the text")
    secret = SECRETS.search(text)
    if secret is not None:
        words = _SECRET_WORDS[secret.lastgroup or "api_key"]
        yield TextFinding("C22", f"A {words} in the text, beginning with {secret[0][:4]}")
    for kind, number in _personal_data(text):
        noun = PERSONAL_KINDS[kind]
        plural = "es" if noun.endswith("s") else "s"
        yield TextFinding("C23", f"{number} {noun}{plural if number > 1 else ''} in the text", kind, number)


def _personal_data(text: str) -> Iterator[tuple[str, int]]:
    emails = sum(1 for _ in _EMAIL.finditer(text)) if "@" in text else 0
    if emails:
        yield "email", emails
    ibans = sum(_is_iban(match[0]) for match in _IBAN.finditer(text))
    if ibans:
        yield "iban", ibans
    cards = sum(_is_card(match[0]) for match in _CARD.finditer(text))
    if cards:
        yield "card", cards


def _is_iban(shown: str) -> bool:
    """ISO 7064 MOD 97-10 over letters as numbers from 10, the first four characters moved to the end."""
    iban = shown.replace(" ", "")
    if not 15 <= len(iban) <= 34 or _TEN_DIGITS.search(iban) is None:
        return False
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _is_card(shown: str) -> bool:
    """ISO/IEC 7812 (Luhn) over 13 to 19 digits that are not all the same."""
    digits = [int(character) for character in shown if character.isdecimal()]
    if len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


#: Digits become 0, letters a, the hyphen a space; everything else a full stop.
_CLASSES = bytes(
    48 if 48 <= code <= 57 else 97 if chr(code).isalpha() and code < 128 else 32 if code in b" -" else 46
    for code in range(256)
)
_DIGITS_TO_LETTERS = bytes.maketrans(b"0", b"a")
#: Of every secret: 16 letters and digits; or the beginning of a PEM key.
_LONG_WORD, _PEM_BEGIN = b"a" * 16, b"     aaaaa "
#: Of every card number and IBAN: these digits of its groups, or of it as one word.
_GROUPED_DIGITS, _LONG_NUMBER = b"000 0000", b"00000000"
#: Beginnings of garbled characters in UTF-8.
_GARBLED_SIGNS = (b"\xc3\x83", b"\xc3\x82", b"\xc3\xa2\xe2\x82\xac", b"\xc3\xaf\xc2\xbb", b"\xc3\xb0\xc5\xb8")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_ODD_ASCII = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def suspects(texts: Sequence[str], *, may_hold_controls: bool) -> list[int]:
    """Return the indices of texts that `look_into` may find something in.

    `may_hold_controls` is False if the caller knows that no text has an ASCII control character.
    """
    if not _is_suspicious("\n".join(texts), may_hold_controls=may_hold_controls):
        return []
    return [index for index, text in enumerate(texts) if _is_suspicious(text, may_hold_controls=may_hold_controls)]


def _is_suspicious(text: str, *, may_hold_controls: bool) -> bool:
    if "@" in text or ("<" in text and TEMPLATE_TOKENS.search(text) is not None) or "INST]" in text:
        return True
    if may_hold_controls and _ODD_ASCII.search(text) is not None:
        return True
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) != len(text) and _may_be_garbled(raw):
        return True
    classes = raw.translate(_CLASSES)
    if _GROUPED_DIGITS in classes or _LONG_NUMBER in classes or _PEM_BEGIN in classes:
        return True
    return _LONG_WORD in classes.translate(_DIGITS_TO_LETTERS)


def _may_be_garbled(raw: bytes) -> bool:
    # One byte is found many times faster than a sequence, and some bytes are rare.
    return (
        (b"\xc3" in raw and any(sign in raw for sign in _GARBLED_SIGNS))
        or (b"\xc2" in raw and _C1.search(raw) is not None)
        or (b"\xef" in raw and b"\xef\xbf\xbd" in raw)
    )
