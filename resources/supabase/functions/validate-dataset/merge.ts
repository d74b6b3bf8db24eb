// Compares the records of a whole file, bucket by bucket: repeated ids, scattered conversations, copied answers.
// Keeps the first places of every code and counts the rest; turning places into findings is left to `endings.ts`.
import { OF_CONVERSATION } from "./intake.ts";
import { mapKey, TABLES, type TableName } from "./records.ts";
import type { Statistics } from "./statistics.ts";

/** Something to report: the record's ordinal and place in the row, and what the message needs. */
export interface Pending {
  code: string;
  ordinal: number;
  part: number;
  /** Ordinal of the first use (of an answer also its place in the row), or the turn numbers of a fall. */
  facts: number[];
}

export interface MergeState {
  pending: Pending[];
  more: [string, number][];
}

/** Parts of a table in the order of the file, all with the records of the same buckets. */
export type Parts = Record<TableName, Uint32Array[]>;

export class Merge {
  private pending: Pending[] = [];
  private more = new Map<string, number>();

  constructor(private readonly statistics: Statistics, private readonly room: (code: string) => number) {}

  state(): MergeState {
    return { pending: this.pending, more: [...this.more] };
  }

  restore(state: MergeState): void {
    this.pending = state.pending;
    this.more = new Map(state.more);
  }

  /** Compare the records of one bucket or of several; each bucket must be given whole and once. */
  take(parts: Parts): void {
    this.takeIds("C18", parts.conversations);
    this.takeIds("P06", parts.pairs);
    this.takeRuns(parts.runs);
    this.takeAnswers(parts.answers);
    this.trim();
  }

  /** What is to be reported, in the order of the file, and how many more of each code there are. */
  results(): { pending: Pending[]; more: [string, number][] } {
    this.trim();
    return this.state();
  }

  private takeIds(code: string, parts: Uint32Array[]): void {
    const firsts = new Map<number, number>();
    for (const [data, at] of records(parts, TABLES.conversations)) {
      const key = mapKey(data[at], data[at + 1]);
      const ordinal = data[at + 2];
      const first = firsts.get(key);
      if (first === undefined) firsts.set(key, ordinal);
      else if (first !== ordinal) this.report({ code, ordinal, part: 0, facts: [first] });
    }
  }

  private takeRuns(parts: Uint32Array[]): void {
    const conversations = new Map<number, { turns: number; words: number; lastTurn: number }>();
    for (const [data, at] of records(parts, TABLES.runs)) {
      const key = mapKey(data[at], data[at + 1]);
      const [ordinal, turns, words] = data.subarray(at + 2, at + 5);
      const firstTurn = data[at + 5] | 0, lastTurn = data[at + 6] | 0;
      const before = conversations.get(key);
      if (before === undefined) {
        conversations.set(key, { turns, words, lastTurn });
        continue;
      }
      if (firstTurn <= before.lastTurn) {
        this.report({ code: "P07", ordinal, part: 0, facts: [firstTurn, before.lastTurn] });
      }
      before.turns += turns;
      before.words += words;
      before.lastTurn = lastTurn;
    }
    for (const { turns, words } of conversations.values()) this.statistics.addConversation(turns, words);
  }

  private takeAnswers(parts: Uint32Array[]): void {
    const histories = new Map<number, { at: number[]; answers: Set<number> | number }>();
    for (const [data, at] of records(parts, TABLES.answers)) {
      const key = mapKey(data[at], data[at + 1]);
      const answer = mapKey(data[at + 2], data[at + 3]);
      const ordinal = data[at + 4], packed = data[at + 5];
      const known = histories.get(key);
      if (known === undefined) {
        histories.set(key, { at: [ordinal, packed], answers: answer });
        continue;
      }
      const isCopy = typeof known.answers === "number" ? known.answers === answer : known.answers.has(answer);
      if (!isCopy) {
        if (typeof known.answers === "number") known.answers = new Set([known.answers]);
        known.answers.add(answer);
      }
      const code = !isCopy ? "C20" : (packed & 3) === OF_CONVERSATION ? "C19" : "P05";
      this.report({ code, ordinal, part: packed, facts: known.at });
    }
  }

  private report(pending: Pending): void {
    this.pending.push(pending);
    if (this.pending.length >= 100_000) this.trim();
  }

  /** Keep of every code the first places that there is room for. */
  private trim(): void {
    const used = new Map<string, number>();
    this.pending.sort((a, b) => a.ordinal - b.ordinal || a.part - b.part);
    this.pending = this.pending.filter(({ code }) => {
      const number = (used.get(code) ?? 0) + 1;
      used.set(code, number);
      if (number <= this.room(code)) return true;
      this.more.set(code, (this.more.get(code) ?? 0) + 1);
      return false;
    });
  }
}

function* records(parts: Uint32Array[], width: number): Generator<[Uint32Array, number]> {
  for (const data of parts) {
    for (let at = 0; at < data.length; at += width) yield [data, at];
  }
}
