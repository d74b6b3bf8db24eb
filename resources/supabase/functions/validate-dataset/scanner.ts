// Cuts JSON values out of bytes by brackets and strings alone, and passes over values that are too long to hold. Pure.

/** The value's end is not among the bytes at hand, but the file goes on. */
export class NeedsMore extends Error {}
/** The value is longer than the limit. */
export class ValueTooLong extends Error {}

/** How far a value was passed over: what the next byte means. `line` is 0 when nothing is to be reported. */
export interface SkipState {
  depth: number;
  inString: boolean;
  escaped: boolean;
  bytes: number;
  line: number;
  column: number;
}

/** Begin to pass over a value; it is reported at `line` and `column`, or not at all if `line` is 0. */
export function newSkip(line: number, column: number): SkipState {
  return { depth: 0, inString: false, escaped: false, bytes: 0, line, column };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** 1 for opening brackets, 2 for closing ones, 3 for quotes. */
const MARKS = new Uint8Array(256);
for (const byte of [0x7b, 0x5b]) MARKS[byte] = 1;
for (const byte of [0x7d, 0x5d]) MARKS[byte] = 2;
MARKS[QUOTE] = 3;

/** Bytes that end a bare word: white space and structure. */
const WORD_ENDS = new Uint8Array(256);
for (const byte of [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x2c, 0x3a, QUOTE, 0x7b, 0x7d, 0x5b, 0x5d]) WORD_ENDS[byte] = 1;

function stringEnd(data: Uint8Array, at: number): number {
  for (at++; at < data.length; at++) {
    const byte = data[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}

function containerEnd(data: Uint8Array, at: number): number {
  let depth = 0;
  for (; at < data.length; at++) {
    const mark = MARKS[data[at]];
    if (mark === 0) continue;
    if (mark === 3) {
      at = stringEnd(data, at) - 1;
      if (at < 0) return -1;
    } else if (mark === 1) depth++;
    else if (--depth === 0) return at + 1;
  }
  return -1;
}

/**
 * Where the value at `at` ends; what is no value at all ends behind its first byte. Returns `at` itself if the file
 * ends inside the value. Throws NeedsMore and ValueTooLong.
 */
export function valueEnd(data: Uint8Array, at: number, isEnd: boolean, limit: number): number {
  const first = data[at];
  let end = -1;
  if (MARKS[first] === 1) end = containerEnd(data, at);
  else if (first === QUOTE) end = stringEnd(data, at);
  else {
    end = at;
    while (end < data.length && !WORD_ENDS[data[end]]) end++;
    if (end === at) return at + 1;
    if (end === data.length && !isEnd) end = -1;
  }
  if (end > at && end - at <= limit) return end;
  if (end > at || data.length - at > limit) throw new ValueTooLong();
  if (!isEnd) throw new NeedsMore();
  return at;
}

/** Pass over the container or string that `state` is in; returns whether its end was reached. */
export function skipOn(state: SkipState, data: Uint8Array, position: { at: number }): boolean {
  const start = position.at;
  let at = start;
  let isDone = false;
  for (; at < data.length && !isDone; at++) {
    const byte = data[at];
    if (state.inString) {
      if (state.escaped) state.escaped = false;
      else if (byte === BACKSLASH) state.escaped = true;
      else if (byte === QUOTE) {
        state.inString = false;
        isDone = state.depth === 0;
      }
      continue;
    }
    const mark = MARKS[byte];
    if (mark === 3) state.inString = true;
    else if (mark === 1) state.depth++;
    else if (mark === 2) isDone = --state.depth <= 0;
  }
  state.bytes += at - start;
  position.at = at;
  return isDone;
}

export function isContainerOrText(raw: Uint8Array): boolean {
  return raw[0] === 0x7b || raw[0] === 0x5b || raw[0] === 0x22;
}
