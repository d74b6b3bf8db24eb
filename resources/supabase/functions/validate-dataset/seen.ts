// Remembers ids and answers as records, so that repetitions are found at the end.
import { newTables, type RecordTable, type TableName, TextHash } from "./records.ts";

/** What a record of an answer belongs to. */
export const OF_CONVERSATION = 0, OF_PAIR = 1, OF_GROUPED_PAIR = 2;

export class Seen {
  tables: Record<TableName, RecordTable> = newTables();
  private readonly hash: TextHash;

  constructor(seed: number) {
    this.hash = new TextHash(seed);
  }

  addId(table: "conversations" | "pairs", identity: string, ordinal: number): void {
    const { low, high } = this.hash.of(identity);
    this.tables[table].add(low, high, ordinal);
  }

  /** Add a history and its answer, null for a history without one; `part` is the turn or pair within the row. */
  addAnswer(history: string[], answer: string | null, ordinal: number, part: number, kind: number): void {
    const { hash } = this;
    // Conversations are compared with conversations alone, pairs with pairs.
    hash.start().add(kind === OF_CONVERSATION ? "turns" : "pairs");
    for (const text of history) hash.add(text);
    const { low, high } = hash.end();
    if (answer === null) hash.low = hash.high = 0;
    else hash.of(answer);
    this.tables.answers.add(low, high, hash.low, hash.high, ordinal, part * 4 + kind);
  }

  /** Add a run of pairs; see `records.ts`. */
  addRun(conversationId: string, ...numbers: number[]): void {
    const { low, high } = this.hash.of(conversationId);
    this.tables.runs.add(low, high, ...numbers);
  }
}
