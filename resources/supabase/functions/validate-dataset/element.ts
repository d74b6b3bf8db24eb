// Cuts one element out of a list, also where its brackets do not tell its end, and finds elements again.
import { decodeLenient, MAX_ROW_BYTES } from "./bytes.ts";
import type { Milestone } from "./milestones.ts";
import { Row } from "./rows.ts";
import { NeedsMore, valueEnd, ValueTooLong } from "./scanner.ts";
import { parse, type Path } from "./text/jsontext.ts";
import { Window } from "./window.ts";

const NOTHING = new Uint8Array(0);

/**
 * The element at the window's position. `raw` is empty if it has no end in reach; `broken` is the offset from the
 * position where the next element seems to begin before this one has ended, -1 if nothing looks like that. `nextStart`
 * is how the next element begins in an indented file. Throws NeedsMore.
 */
export function cutElement(
  window: Window,
  nextStart: string | null,
): { raw: Uint8Array; broken: number; isTooLong: boolean } {
  let raw = NOTHING;
  let isTooLong = false;
  try {
    raw = window.value(MAX_ROW_BYTES) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if (!(error instanceof ValueTooLong)) throw error;
    isTooLong = true;
  }
  let broken = nextStart === null ? -1 : window.find(nextStart, raw.length || window.data.length - window.at);
  if (broken >= 0 && raw.length && parse(decodeLenient(raw)).syntax === null) broken = -1;
  return { raw, broken, isTooLong };
}

/** The element with this ordinal in `data`, which begins at a milestone; null if its end is not there. */
export function elementAgain(
  data: Uint8Array,
  isEnd: boolean,
  stone: Milestone,
  ordinal: number,
  prefix: Path,
): Row | null {
  const window = new Window(data, 0, 0, isEnd, stone.line, stone.column);
  try {
    for (let index = stone.ordinal; index < ordinal; index++) {
      window.at = valueEnd(data, window.at, isEnd, data.length);
      if (window.peek() === ",") window.at++;
      window.peek();
    }
    const raw = window.value(MAX_ROW_BYTES);
    return new Row(decodeLenient(raw), ...window.lineAndColumn(), prefix);
  } catch (error) {
    if (error instanceof NeedsMore) return null;
    throw error;
  }
}
