// The totals that a file declares in its metadata, and M01 when other ones were counted.
import { has, isWhole, type JsonObject } from "./formats.ts";
import type { FindingLog, Place } from "./report.ts";
import type { Statistics } from "./statistics.ts";
import { grouped } from "./text/words.ts";

/** Declared totals: key, what it is called, and the counted figures it may equal. */
const DECLARED: [string, string, ("conversations" | "trainingPairs" | "turns")[]][] = [
  ["total_conversations", "conversations", ["conversations"]],
  ["total_training_pairs", "training pairs", ["trainingPairs"]],
  ["total_pairs", "pairs", ["trainingPairs"]],
  ["total_turns", "turns", ["turns", "trainingPairs"]],
];

/** What was declared and where; null before the first metadata object, the only one that counts. */
export type DeclaredState = { index: number; said: number; line: number; column: number; path: string }[] | null;

export class DeclaredTotals {
  state: DeclaredState = null;

  take(metadata: JsonObject, container: string, place: Place): void {
    this.state ??= DECLARED.flatMap(([key], index) => {
      const said = has(metadata, key) ? metadata[key] : null;
      if (!isWhole(said)) return [];
      const [line, column] = place.position([container, key]);
      return [{ index, said: Number(said), line, column, path: `${container}.${key}` }];
    });
  }

  compare(statistics: Statistics, log: FindingLog): void {
    for (const { index, said, line, column, path } of this.state ?? []) {
      const [, noun, allowed] = DECLARED[index];
      const counts = allowed.map((name) => statistics[name]);
      if (counts.includes(said)) continue;
      const message = `The file says ${grouped(said)} ${noun}, ${grouped(counts[0])} counted`;
      log.addAt("M01", line, column, message, "", "warning", path);
    }
  }
}
