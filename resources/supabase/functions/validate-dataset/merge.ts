// Compares the records of a whole file, bucket by bucket: repeated ids, scattered conversations, copied answers.
// Keeps the first places of every code and counts the rest; turning places into findings is left to `endings.ts`.
import { type TableName, TABLES } from "./records.ts";
import { OF_CONVERSATION } from "./seen.ts";
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
    const table = new Found(parts, TABLES.conversations, 2);
    table.each((data, at, first) => {
      const ordinal = data[at + 2], before = data[first + 2];
      if (first !== at && before !== ordinal) this.report({ code, ordinal, part: 0, facts: [before] });
    });
  }

  private takeRuns(parts: Uint32Array[]): void {
    const table = new Found(parts, TABLES.runs, 2);
    // The first run of a conversation gathers what the later ones have.
    table.each((data, at, first) => {
      if (first === at) return;
      const firstTurn = data[at + 5] | 0, before = data[first + 6] | 0;
      if (firstTurn <= before) {
        this.report({ code: "P07", ordinal: data[at + 2], part: 0, facts: [firstTurn, before] });
      }
      data[first + 3] += data[at + 3];
      data[first + 4] += data[at + 4];
      data[first + 6] = data[at + 6];
    });
    table.each((data, at, first) => {
      if (first === at) this.statistics.addConversation(data[at + 3], data[at + 4]);
    });
  }

  private takeAnswers(parts: Uint32Array[]): void {
    const histories = new Found(parts, TABLES.answers, 2);
    const answers = new Found([histories.data], TABLES.answers, 4);
    histories.each((data, at, first) => {
      if (first === at) return;
      const packed = data[at + 5];
      const isCopy = answers.firstOf(at) !== at;
      const code = !isCopy ? "C20" : (packed & 3) === OF_CONVERSATION ? "C19" : "P05";
      this.report({ code, ordinal: data[at + 4], part: packed, facts: [data[first + 4], data[first + 5]] });
    });
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

/** Records in one stretch of numbers, and for each the first one with the same hash (the first `keyWidth` numbers). */
class Found {
  readonly data: Uint32Array;
  private readonly firsts: Uint32Array;

  constructor(parts: Uint32Array[], private readonly width: number, keyWidth: number) {
    this.data = joined(parts);
    const { data } = this;
    const count = data.length / width;
    this.firsts = new Uint32Array(count);
    // An open table of record numbers + 1, at most half full: a few bytes a record, where a Map takes a hundred.
    const mask = 2 ** Math.ceil(Math.log2(2 * count + 2)) - 1;
    const slots = new Uint32Array(mask + 1);
    for (let record = 0; record < count; record++) {
      const at = record * width;
      let slot = (data[at + keyWidth - 2] ^ data[at + 1]) & mask;
      while (slots[slot] && !isSame(data, (slots[slot] - 1) * width, at, keyWidth)) slot = (slot + 1) & mask;
      slots[slot] ||= record + 1;
      this.firsts[record] = slots[slot] - 1;
    }
  }

  /** Calls `see` with where each record and its first one begin, in the order of the file. */
  each(see: (data: Uint32Array, at: number, first: number) => void): void {
    for (let record = 0; record < this.firsts.length; record++) {
      see(this.data, record * this.width, this.firsts[record] * this.width);
    }
  }

  firstOf(at: number): number {
    return this.firsts[at / this.width] * this.width;
  }
}

function isSame(data: Uint32Array, left: number, right: number, width: number): boolean {
  for (let index = 0; index < width; index++) if (data[left + index] !== data[right + index]) return false;
  return true;
}

function joined(parts: Uint32Array[]): Uint32Array {
  if (parts.length === 1) return parts[0];
  const data = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
