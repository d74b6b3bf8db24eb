// Text as the desktop's checks see it: Python's white space, printable characters, number formats, code points.
// Pure. JavaScript counts UTF-16 units and trims another set of characters; findings must not depend on that.

const SPACE_CLASS = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const ONLY_SPACE = new RegExp(`^[${SPACE_CLASS}]*$`);
const LEADING = new RegExp(`^[${SPACE_CLASS}]+`);
const TRAILING = new RegExp(`[${SPACE_CLASS}]+$`);
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/** Whether a text is empty or white space alone (`str.strip()` leaves nothing). */
export function isBlank(text: string): boolean {
  const first = text.charCodeAt(0);
  // Nearly all texts begin with a letter.
  if (first > 0x20 && first < 0x7f) return false;
  return ONLY_SPACE.test(text);
}

/** `str.strip()`. */
export function strip(text: string): string {
  return text.replace(LEADING, "").replace(TRAILING, "");
}

/** Strip blanks, tabs and line ends only. */
export function stripAscii(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isJsonSpace(text.charCodeAt(from))) from++;
  while (to > from && isJsonSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

export function isJsonSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Number of characters (code points) of a text or of a part of it. */
export function characters(text: string, from = 0, to = text.length): number {
  let count = 0;
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    count++;
    if (unit >= 0xd800 && unit < 0xdc00 && at + 1 < to) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next < 0xe000) at++;
    }
  }
  return count;
}

/** The first `count` characters. */
export function firstCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  let at = 0;
  for (let seen = 0; seen < count && at < text.length; seen++) {
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}

/** `str.isprintable()` for one character. */
export function isPrintable(character: string): boolean {
  return character === " " || !UNPRINTABLE.test(character);
}

/** A text in a sentence: at most 40 characters, those that show nothing as dots. */
export function shown(text: string): string {
  const start = firstCharacters(text, 40);
  const dotted = [...start].map((character) => (isPrintable(character) ? character : "·")).join("");
  return start.length < text.length ? dotted + "…" : dotted;
}

/** Words of one text: spaces + 1. */
export function wordsIn(text: string): number {
  let count = 1;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) count++;
  return count;
}

/** An integer with thousands separated by commas. */
export function grouped(number: number | bigint): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A length in MB with one decimal, as sentences show it. */
export function megabytes(bytes: number, unit = 1_000_000): string {
  const [whole, rest] = (bytes / unit).toFixed(1).split(".");
  return `${grouped(Number(whole))}.${rest}`;
}

/** Order of two texts by code points, as Python compares them. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) {
      // Surrogates stand for characters above all others of the basic plane.
      const aHigh = a >= 0xd800 && a < 0xe000;
      const bHigh = b >= 0xd800 && b < 0xe000;
      return aHigh === bHigh ? a - b : aHigh ? 1 : -1;
    }
  }
  return left.length - right.length;
}
