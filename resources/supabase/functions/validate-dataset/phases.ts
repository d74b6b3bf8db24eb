// Where the reading of a document stands between two elements; what of it a checkpoint keeps.
import type { SkipState } from "./scanner.ts";

/** What comes next: a key, a value, an element of the main list, what stands between them, or nothing. */
export type Phase =
  | "open"
  | "key"
  | "colon"
  | "member"
  | "memberEnd"
  | "element"
  | "comma"
  | "sequence"
  | "end"
  | "stopped";

export interface DocumentState {
  phase: Phase;
  keys: string[];
  path: (string | number)[];
  index: number;
  comma: [number, number];
  skip: SkipState | null;
  line: number;
  column: number;
}
