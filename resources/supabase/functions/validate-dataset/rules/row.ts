// What the rules of conversations and of pairs have in common: facts, sentences, the rules of one text, lengths.
import { isObject, type JsonObject, nearKey } from "../formats.ts";
import type { FindingLog, Place } from "../report.ts";
import { type Role, tokensOf } from "../statistics.ts";
import type { Path } from "../text/jsontext.ts";
import { Fraction, type Json } from "../text/parser.ts";
import { scanText } from "../text/scan.ts";
import { grouped, shown } from "../text/words.ts";
import { lookInto, type PersonalKind } from "./texts.ts";

const MAX_TOKENS = 4096;

/** What counts of a conversation or a training pair. `texts` has the characters of every text by its role. */
export interface RowFacts {
  turns: number;
  words: number;
  characters: number;
  trainingPairs: number;
  texts: [Role, number][];
  personalData: [PersonalKind, number][];
}

export function newFacts(): RowFacts {
  return { turns: 0, words: 0, characters: 0, trainingPairs: 0, texts: [], personalData: [] };
}

/** The JSON type of a value for a sentence. */
export function jsonType(value: Json): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return "true or false";
  if (typeof value === "string") return "text";
  if (typeof value === "number" || typeof value === "bigint" || value instanceof Fraction) return "a number";
  return isObject(value) ? "an object" : "a list";
}

/** Suggest the key of `row` that was probably meant to be `wanted`, or to add it. */
export function rename(row: JsonObject, wanted: string): string {
  const near = nearKey(row, wanted);
  return near ? `Rename ${shown(near)} to ${wanted}` : `Add ${wanted}`;
}

/** Count one text and apply F12, C16, C22 and C23 to it. Returns its words, its characters and whether it is blank. */
export function checkText(
  text: string,
  place: Place,
  path: () => Path,
  facts: RowFacts,
  log: FindingLog,
): { words: number; characters: number; isBlank: boolean } {
  const scan = scanText(text);
  if (scan.isSuspect) {
    for (const { code, message, kind, number } of lookInto(text)) {
      log.add(code, place, path(), message);
      if (kind) facts.personalData.push([kind, number]);
    }
  }
  return scan;
}

/** C17: `words` are those of everything a trainer would put into one sample. */
export function checkLength(words: number, place: Place, path: Path, log: FindingLog): void {
  const tokens = tokensOf(words);
  if (tokens <= MAX_TOKENS) return;
  log.add("C17", place, path, `About ${grouped(tokens)} tokens, over the limit of ${grouped(MAX_TOKENS)}`);
}
