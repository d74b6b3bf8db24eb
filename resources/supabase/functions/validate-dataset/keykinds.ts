// F15: keys of rows that change their type. Watches the first 1,000 different keys of a file.
import { isObject, type JsonObject } from "./formats.ts";
import type { FindingLog, Place } from "./report.ts";
import { Fraction, type Json } from "./text/parser.ts";
import { shown } from "./text/words.ts";

const MAX_KEYS = 1000;
/** Keys with rules of their own. */
const RULED = new Set([
  "conversation_id",
  "turns",
  "id",
  "turn_number",
  "current_user_input",
  "target_response",
  "_meta",
]);

export type KeyKindsState = [string, string][];

export class KeyKinds {
  /** The kind a key had first; "" once a change was reported. */
  private kinds = new Map<string, string>();

  see(row: JsonObject, place: Place, log: FindingLog): void {
    for (const key in row) {
      if (RULED.has(key)) continue;
      const value = row[key];
      if (value === null) continue;
      const kind = kindOf(value);
      const first = this.kinds.get(key);
      if (first === undefined) {
        if (this.kinds.size < MAX_KEYS) this.kinds.set(key, kind);
      } else if (first !== kind && first !== "") {
        this.kinds.set(key, "");
        log.add("F15", place, [key], `${shown(key)} is a ${kind} here, a ${first} in the rows before`);
      }
    }
  }

  state(): KeyKindsState {
    return [...this.kinds];
  }

  restore(state: KeyKindsState): void {
    this.kinds = new Map(state);
  }
}

function kindOf(value: Json): string {
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" || typeof value === "bigint" || value instanceof Fraction) return "number";
  return isObject(value) ? "object" : "list";
}
