// One JSON value: from its bytes to a value for the intake, with the findings of its text.
// Nearly all values go the quick way of JSON.parse; what that refuses or may get wrong is read with full care.
import { decodeLenient, decodeStrict, findInvalid, likelyEncoding, LONG_ROW_BYTES } from "./bytes.ts";
import type { Intake } from "./intake.ts";
import { type FindingLog, pathText } from "./report.ts";
import { Row } from "./rows.ts";
import { MAX_DEPTH, parse } from "./text/jsontext.ts";
import type { Json } from "./text/parser.ts";
import { megabytes, shown } from "./text/words.ts";

/** Check the bytes of one row and hand its value to the intake. `start` tells where the row begins. */
export function takeText(
  raw: Uint8Array,
  start: Row,
  intake: Intake,
  log: FindingLog,
  ordinal: number,
  isLast: boolean,
): void {
  const { row, value } = readValue(raw, start, log, isLast);
  if (value !== undefined) intake.take(value, row, ordinal);
}

/**
 * Read one JSON value and report F03, F04, F10, F11, F18 to F21 and R01; `value` is undefined if there is nothing to
 * go on with. `isLast` when the file ends right after it, so that a value without an end is a file cut off.
 */
export function readValue(
  raw: Uint8Array,
  start: Row,
  log: FindingLog,
  isLast: boolean,
): { row: Row; value: Json | undefined } {
  if (raw.length > LONG_ROW_BYTES) {
    log.addAt("F11", start.line, start.column, `The row has ${megabytes(raw.length)} MB`, "", "warning");
  }
  const text = decodeStrict(raw) ?? decodeOdd(raw, start, log, isLast);
  const row = new Row(text, start.line, start.column, start.prefix);
  const quick = quickValue(text);
  if (quick !== undefined) return { row, value: quick };

  const nul = text.indexOf("\0");
  if (nul >= 0) {
    log.addAt("F04", ...row.at(nul), "NUL character", "Save the file as UTF-8 text");
    return { row, value: undefined };
  }
  const parsed = parse(text);
  const complaint = parsed.tooDeep ?? parsed.syntax;
  if (complaint) {
    let code = "R01", { message, suggestion } = complaint;
    if (parsed.tooDeep) code = "F18";
    else if (isLast && complaint.atEnd) {
      code = "F10";
      suggestion = "Get the file again from where it was made";
      message = "The last row is cut off: " + message.replace(/^Not JSON: /, "");
    }
    log.addAt(code, ...row.at(complaint.offset), message, suggestion);
    return { row, value: undefined };
  }
  for (const number of parsed.numbers) {
    log.addAt("F19", ...row.at(number.offset), number.message, number.suggestion);
  }
  if (parsed.surrogate) {
    const { offset, message, suggestion } = parsed.surrogate;
    log.addAt("F20", ...row.at(offset), message, suggestion);
  }
  for (const { offset, path } of parsed.repeatedKeys) {
    const message = `The key ${shown(String(path.at(-1)))} is given twice in one object`;
    log.addAt("F21", ...row.at(offset), message, "", "warning", pathText([...row.prefix, ...path]));
  }
  return { row, value: parsed.value };
}

/** Decode bytes that are no UTF-8: F03, and replacement characters for them. */
function decodeOdd(raw: Uint8Array, start: Row, log: FindingLog, isLast: boolean): string {
  const { offset, isUnfinished } = findInvalid(raw);
  // A character that the end of the file cuts in two is not a matter of encoding.
  if (isLast && isUnfinished) return decodeLenient(raw.subarray(0, offset));
  const before = new Row(decodeLenient(raw.subarray(0, offset)), start.line, start.column);
  const [line, column] = before.at(before.text.length);
  const byte = raw[offset].toString(16).toUpperCase().padStart(2, "0");
  const message = `Byte 0x${byte}, number ${offset + 1} of the row, is not UTF-8`;
  log.addAt("F03", line, column, message, `Save the file as UTF-8; it is probably ${likelyEncoding(raw)}`);
  return decodeLenient(raw);
}

/** The value of a text in which JSON.parse can be trusted; undefined if it has to be read with care. */
function quickValue(text: string): Json | undefined {
  if (text.includes("\\ud") || text.includes("\\uD")) return undefined;
  // Declared totals have to be whole numbers; JSON.parse does not tell 2.0 from 2.
  if (text.includes('"total_')) return undefined;
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const walk = new Walk();
  walk.into(value, 1);
  if (walk.isOdd || !hasWholeTurnNumbers(text)) return undefined;
  return walk.keys === countKeyMarks(text) && !hasSpacedColon(text) ? value : undefined;
}

/** Looks at every value: depth, numbers that JSON.parse may have changed, and how many keys there are. */
class Walk {
  isOdd = false;
  keys = 0;

  into(value: Json, depth: number): void {
    if (typeof value === "number") {
      if (!(Math.abs(value) < 2 ** 53)) this.isOdd = true;
    } else if (typeof value === "object" && value !== null) {
      if (depth > MAX_DEPTH) {
        this.isOdd = true;
      } else if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index++) {
          const item = value[index];
          if (typeof item !== "string") this.into(item, depth + 1);
        }
      } else {
        for (const key in value) {
          this.keys++;
          const item = (value as { [key: string]: Json })[key];
          if (typeof item !== "string") this.into(item, depth + 1);
        }
      }
    }
  }
}

/** Colons right behind a quote; as many as there are keys, unless keys are repeated or texts hold such colons too. */
function countKeyMarks(text: string): number {
  let count = 0;
  for (let at = text.indexOf('":'); at >= 0; at = text.indexOf('":', at + 2)) count++;
  return count;
}

/** Whether white space stands between a key and its colon, where the count of marks says nothing. */
function hasSpacedColon(text: string): boolean {
  const isPossible = text.includes(" :") || text.includes("\t:") || text.includes("\n:") || text.includes("\r:");
  return isPossible && /"[ \t\r\n]+:/.test(text);
}

/** Whether no turn_number is written with a fraction or an exponent. */
function hasWholeTurnNumbers(text: string): boolean {
  for (let at = text.indexOf('"turn_number"'); at >= 0; at = text.indexOf('"turn_number"', at + 13)) {
    if (!WHOLE_AHEAD.test(text.slice(at + 13, at + 60))) return false;
  }
  return true;
}

const WHOLE_AHEAD = /^[ \t\r\n]*:[ \t\r\n]*-?[0-9]+[ \t\r\n]*[,}]/;
