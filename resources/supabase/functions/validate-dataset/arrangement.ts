// Whether a file is lines, one document, or objects over several lines, judged by its first MiB; F07 and F08. Pure.
import type { FindingLog } from "./report.ts";
import { JsonError, JsonParser } from "./text/parser.ts";
import { strip, stripAscii } from "./text/words.ts";

export type Arrangement = "lines" | "document" | "sequence";

export const HEAD_BYTES = 1024 * 1024;
export const LIST_KEYS = ["conversations", "training_pairs"];
export const METADATA_KEYS = ["training_file_metadata", "dataset_metadata"];

/** `head` is the text of the first MiB without a byte order mark; `suffix` the file's, in lower case with its dot. */
export function arrangementOf(head: string, suffix: string, log: FindingLog): Arrangement {
  const text = head.replace(/^[ \t\r\n]+/, "");
  const lineEnd = text.indexOf("\n");
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
  const isLinesFile = suffix === ".jsonl" || suffix === ".ndjson";
  if (text.startsWith("[")) {
    if (isLinesFile) {
      const second = strip(text.slice(line.length));
      if (isJson(line) && /^[[{]/.test(second)) return "lines";
      const message = "The file is one JSON array, not one object a line";
      log.addAt("F07", 1, 1, message, "Write each object on a line");
    }
    return "document";
  }
  if (!text.startsWith("{")) return "lines";
  const oneLine = isJson(line);
  const keys = topLevelKeys(text);
  const isDocument = keys.some(([key]) => METADATA_KEYS.includes(key)) ||
    (keys.some(([key, first]) => LIST_KEYS.includes(key) && first === "[") && !(oneLine && isLinesFile));
  const rest = strip(text.slice(line.length));
  if (isDocument && !(oneLine && rest)) {
    if (isLinesFile) {
      log.addAt("F08", 1, 1, "The file is one JSON document, not one object a line", "Name the file .json");
    }
    return "document";
  }
  if (!oneLine && firstValueSpansLines(text)) {
    log.addAt("F08", 1, 1, "Objects spread over several lines", "Write each object on one line");
    return "sequence";
  }
  return "lines";
}

function isJson(line: string): boolean {
  try {
    new JsonParser(line).parse();
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

/** The end of the value at `at`, or null if there is none that can be read. */
function valueEnd(text: string, at: number): number | null {
  try {
    return new JsonParser(text).value(at)[1];
  } catch (error) {
    if (error instanceof JsonError) return null;
    throw error;
  }
}

function firstValueSpansLines(text: string): boolean {
  const end = valueEnd(text, 0);
  return end !== null && text.slice(0, end).includes("\n");
}

/**
 * The first top-level keys of an object, each with the first character of its value. Ends at the first list among the
 * known keys, or where the text cannot be followed any more.
 */
function topLevelKeys(text: string): [string, string][] {
  const keys: [string, string][] = [];
  const skipSpace = /[\s\x1c-\x1f\x85]*/y;
  const space = (at: number) => {
    skipSpace.lastIndex = at;
    skipSpace.exec(text);
    return skipSpace.lastIndex;
  };
  for (let at = 1;;) {
    at = space(at);
    if (text[at] !== '"') return keys;
    const keyEnd = closingQuote(text, at);
    if (keyEnd < 0) return keys;
    const key = text.slice(at + 1, keyEnd);
    at = space(keyEnd + 1);
    if (text[at] !== ":") return keys;
    at = space(at + 1);
    const first = text[at] ?? "";
    keys.push([key, first]);
    if (LIST_KEYS.includes(key) && first === "[") return keys;
    const end = valueEnd(text, at);
    if (end === null) return keys;
    at = space(end);
    if (text[at] !== ",") return keys;
    at++;
  }
}

function closingQuote(text: string, at: number): number {
  for (at++; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === "\\") at++;
  }
  return -1;
}

/** Whether a head that is the whole file has nothing in it. */
export function isEmptyText(head: string): boolean {
  return stripAscii(head) === "";
}
