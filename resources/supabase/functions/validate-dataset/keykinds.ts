// F15: keys of rows that change their type. Watches the first 1,000 different keys of a file.
import type { JsonObject } from "./formats.ts";
import type { FindingLog, Place } from "./report.ts";
import { jsonType } from "./rules/row.ts";
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

/** Of a key: the kind it had first, "" once a change was reported, and the line. */
export type KeyKindsState = [string, [kind: string, line: number]][];

export class KeyKinds {
  private kinds = new Map<string, [kind: string, line: number]>();

  see(row: JsonObject, place: Place, log: FindingLog): void {
    for (const key in row) {
      if (RULED.has(key)) continue;
      const value = row[key];
      if (value === null) continue;
      const kind = jsonType(value);
      const first = this.kinds.get(key);
      if (first === undefined) {
        if (this.kinds.size < MAX_KEYS) this.kinds.set(key, [kind, place.position([key])[0]]);
      } else if (first[0] !== kind && first[0] !== "") {
        this.kinds.set(key, ["", 0]);
        log.add("F15", place, [key], `${shown(key)} is ${kind} here, ${first[0]} on line ${first[1]}`);
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
