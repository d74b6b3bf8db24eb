// JSON text looked at closely: why a row is no JSON, where a value stands, numbers and escapes out of bounds.
// Pure functions on text; offsets are UTF-16 units of that text (rows turn them into lines and columns).
import { fitsInt64, Json, JsonError, JsonParser } from "./parser.ts";
import { isPrintable } from "./words.ts";

export const MAX_DEPTH = 64;
export type Path = readonly (string | number)[];

/** Something wrong at an offset, in words. `atEnd`: the text simply ends too early. */
export interface Complaint {
  offset: number;
  message: string;
  suggestion: string;
  atEnd?: boolean;
}

/** A row as values, with what is wrong although it could be read. */
export interface Parsed {
  value: Json;
  syntax: Complaint | null;
  tooDeep: Complaint | null;
  numbers: Complaint[];
  surrogate: Complaint | null;
  repeatedKeys: { offset: number; path: Path }[];
}

/** Read one JSON text with full care; never throws. */
export function parse(text: string): Parsed {
  const result: Parsed = { value: null, syntax: null, tooDeep: null, numbers: [], surrogate: null, repeatedKeys: [] };
  result.tooDeep = findTooDeep(text);
  if (result.tooDeep) return result;
  const parser = new JsonParser(text);
  try {
    result.value = parser.parse();
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    result.syntax = explain(text, error);
    return result;
  }
  if (parser.oddNumbers) result.numbers = findOddNumbers(text);
  result.surrogate = findLoneSurrogate(text);
  result.repeatedKeys = parser.repeatedKeys;
  return result;
}

/** Offset behind the string that opens at `at`, or the end of the text if it is not closed. */
function afterString(text: string, at: number): number {
  for (at++; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at++;
  }
  return text.length;
}

/** Offset behind the value at `at` of a text that is known to be JSON. */
function afterValue(text: string, at: number): number {
  let depth = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = afterString(text, at) - 1;
      if (!depth) return at + 1;
    } else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      if (!depth) return at;
      if (--depth === 0) return at + 1;
    } else if (!depth && (code === 0x2c || code <= 0x20)) return at;
  }
  return at;
}

/** The bracket that goes deeper than allowed. */
export function findTooDeep(text: string): Complaint | null {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = afterString(text, at) - 1;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) {
        return { offset: at, message: `Nested deeper than ${MAX_DEPTH} levels`, suggestion: "" };
      }
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return null;
}

const NUMBER = /-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*/y;

function findOddNumbers(text: string): Complaint[] {
  const found: Complaint[] = [];
  for (let at = 0; at < text.length;) {
    if (text.charCodeAt(at) === 0x22) {
      at = afterString(text, at);
      continue;
    }
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (!match) {
      at++;
      continue;
    }
    const complaint = oddNumber(match[0], at);
    if (complaint) found.push(complaint);
    at += match[0].length;
  }
  return found;
}

function oddNumber(number: string, offset: number): Complaint | null {
  const shown = number.length <= 24 ? number : number.slice(0, 20) + "…";
  if (number.includes("N") || number.includes("I")) {
    return { offset, message: `${shown} is not a JSON number`, suggestion: "Write null, or leave the key out" };
  }
  const suggestion = "Write it as text in quotes";
  if (/[.eE]/.test(number)) {
    if (Number.isFinite(Number(number))) return null;
    return { offset, message: `The number ${shown} is too large to be read`, suggestion };
  }
  return fitsInt64(number) ? null : { offset, message: `The integer ${shown} does not fit 64 bits`, suggestion };
}

const ESCAPE = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)/gs;

/** The first escape that stands for half of a character. */
export function findLoneSurrogate(text: string): Complaint | null {
  if (!text.includes("\\ud") && !text.includes("\\uD")) return null;
  for (const match of text.matchAll(ESCAPE)) {
    if (match[1] !== undefined) {
      return {
        offset: match.index,
        message: `\\${match[1]} is half of a character`,
        suggestion: "Write both halves of the pair, or remove it",
      };
    }
  }
  return null;
}

/** Offset of the value at `path`, or of the innermost value on the way that exists. */
export function locate(text: string, path: Path): number {
  let offset = new JsonParser(text, false).space(0);
  for (const step of path) {
    const inner = enter(text, offset, step);
    if (inner === null) return offset;
    offset = inner;
  }
  return offset;
}

/** Where member `step` of the container at `offset` starts; the last one if a key is repeated. */
function enter(text: string, offset: number, step: string | number): number | null {
  if (text[offset] !== (typeof step === "string" ? "{" : "[")) return null;
  const parser = new JsonParser(text, false);
  let found: number | null = null;
  let index = 0;
  try {
    offset = parser.space(offset + 1);
    while (text[offset] !== "}" && text[offset] !== "]") {
      if (offset >= text.length) return null;
      let name: string | number = index;
      if (typeof step === "string") {
        [name, offset] = parser.string(offset);
        offset = parser.space(parser.space(offset) + 1);
      }
      if (name === step) {
        found = offset;
        if (typeof step === "number") return found;
      }
      offset = parser.space(afterValue(text, offset));
      if (text[offset] === ",") offset = parser.space(offset + 1);
      index++;
    }
  } catch (error) {
    if (error instanceof JsonError) return null;
    throw error;
  }
  return found;
}

const PYTHON_WORDS: [string, string][] = [
  ["None", "null"],
  ["True", "true"],
  ["False", "false"],
  ["undefined", "null"],
  ["NULL", "null"],
];

/** A word, number or escape that the end of the text cuts short. */
const UNFINISHED =
  /(?<![0-9A-Za-z])(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|N|Na|-|-?(?:I|In|Inf|Infi|Infin|Infini|Infinit))$|[0-9](?:\.|[eE][+-]?)$|\\u[0-9a-fA-F]{0,3}$/;

/** The parser's error as what was expected, with a hint for the usual mistakes. */
function explain(text: string, error: JsonError): Complaint {
  const { offset, problem } = error;
  const complaint = (at: number, message: string, suggestion = "", atEnd = false): Complaint => ({
    offset: at,
    message: "Not JSON: " + message,
    suggestion,
    atEnd,
  });
  const end = trimmedLength(text, text.length);
  const here = offset < text.length ? String.fromCodePoint(text.codePointAt(offset)!) : "";
  if (problem.startsWith("Unterminated string")) {
    return complaint(offset, "the text that starts here is not closed", 'Close it with "', true);
  }
  if (offset >= end) return complaint(end, `the row ends where ${expected(problem)} was expected`, "", true);
  if (end - offset <= "-Infinity".length && UNFINISHED.test(text.slice(0, end))) {
    return complaint(offset, "the row ends inside a value", "", true);
  }
  const before = trimmedLength(text, offset);
  const last = text[before - 1];
  if ((here === "}" || here === "]") && last === ",") {
    return complaint(before - 1, `a comma before ${here}`, "Remove the comma");
  }
  if (here === "'") return complaint(offset, "single quotes", "Write \" instead of '");
  for (const [word, right] of PYTHON_WORDS) {
    if (text.startsWith(word, offset) && problem.startsWith("Expecting value")) {
      return complaint(offset, `${word} is not a JSON word`, `Write ${right}`);
    }
  }
  if (problem.startsWith("Expecting ','") && last === '"' && here !== '"') {
    return complaint(before - 1, "unescaped quote in the text", 'Write \\" instead of "');
  }
  if (problem.startsWith("Extra data")) {
    const hint = text.slice(before, offset).includes("\r")
      ? "The lines end with CR alone; save the file with LF line ends"
      : "Put every object on a line of its own";
    return complaint(offset, "more text after the end of the row", hint);
  }
  const code = "U+" + here.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  if (problem.startsWith("Invalid control character")) {
    return complaint(offset, `control character ${code} in the text`, "Write \\n for a line break, \\t for a tab");
  }
  if (problem.startsWith("Invalid \\")) {
    return complaint(offset, "unknown escape after \\", "Write \\\\ for a backslash");
  }
  return complaint(offset, `found ${isPrintable(here) ? here : code} where ${expected(problem)} was expected`);
}

function trimmedLength(text: string, end: number): number {
  while (end > 0 && " \t\r\n".includes(text[end - 1])) end--;
  return end;
}

function expected(problem: string): string {
  if (problem.includes("property name")) return 'a key in "double quotes"';
  if (problem.includes("':'")) return "a colon";
  if (problem.includes("','")) return "a comma or the end";
  return "a value";
}
