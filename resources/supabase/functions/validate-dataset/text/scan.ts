// One pass over a text: words, characters, whether it is blank, and whether it may hold something worth a closer look.
// May suspect innocent texts, never clears a guilty one; `rules/texts.ts` judges the suspects.

/** Classes of ASCII characters. */
const OTHER = 0, DIGIT = 1, LETTER = 2, SEPARATOR = 3, SIGN = 4, BREAK = 5;
const CLASSES = new Uint8Array(128).fill(OTHER);
for (let code = 0; code < 0x20; code++) CLASSES[code] = SIGN;
for (const code of [0x09, 0x0a, 0x0d]) CLASSES[code] = BREAK;
for (let code = 0x30; code <= 0x39; code++) CLASSES[code] = DIGIT;
for (let code = 0x41; code <= 0x5a; code++) CLASSES[code] = CLASSES[code + 0x20] = LETTER;
CLASSES[0x20] = CLASSES[0x2d] = SEPARATOR;
// Control characters, e-mail addresses, template tokens.
for (const code of [0x7f, 0x40, 0x3c]) CLASSES[code] = SIGN;

export const NO_TEXT = Object.freeze({ words: 0, characters: 0, isBlank: true, isSuspect: false });
export type TextScan = { words: number; characters: number; isBlank: boolean; isSuspect: boolean };

/** Letters and digits in a row that a secret or an IBAN has, and digits that an IBAN or a card number has. */
const LONG_WORD = 15;
const MANY_DIGITS = 10;
const HYPHENS = 5;

export function scanText(text: string): TextScan {
  const length = text.length;
  let spaces = 0, pairs = 0, word = 0, digits = 0, hyphens = 0;
  let isSuspect = false, isBlank = true;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code < 128) {
      const kind = CLASSES[code];
      if (kind === LETTER) {
        isBlank = false;
        digits = hyphens = 0;
        if (++word >= LONG_WORD) isSuspect = true;
      } else if (kind === DIGIT) {
        isBlank = false;
        hyphens = 0;
        if (++word >= LONG_WORD || ++digits >= MANY_DIGITS) isSuspect = true;
      } else if (kind === SEPARATOR) {
        word = 0;
        if (code === 0x20) {
          spaces++;
          hyphens = 0;
        } else {
          isBlank = false;
          if (++hyphens >= HYPHENS) isSuspect = true;
        }
      } else {
        word = digits = hyphens = 0;
        if (kind === SIGN) {
          isSuspect = true;
          // Some control characters are white space.
          if (code >= 0x20 || !isPythonSpace(code)) isBlank = false;
        } else if (kind === OTHER) {
          isBlank = false;
          if (code === 0x5d && at > 0 && text.charCodeAt(at - 1) === 0x54) isSuspect = true;
        }
      }
      continue;
    }
    word = digits = hyphens = 0;
    if (code >= 0xd800 && code < 0xdc00) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        pairs++;
        at++;
      }
      isBlank = false;
    } else {
      if (code < 0xa0 || code === 0xc2 || code === 0xc3 || code === 0xe2 || code === 0xef || code === 0xf0) {
        isSuspect = true;
      } else if (code === 0xfffd) isSuspect = true;
      if (isBlank && !isPythonSpace(code)) isBlank = false;
    }
  }
  return { words: spaces + 1, characters: length - pairs, isBlank, isSuspect };
}

function isPythonSpace(code: number): boolean {
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code === 0x85 || code === 0xa0 ||
    code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f ||
    code === 0x205f || code === 0x3000;
}
