// State that grows with the file: which ids and contents were used where, a few bytes each, as rows of 32-bit numbers.
// Records are kept by 64-bit hashes and split by hash into buckets, so that each bucket can be compared on its own.

/** Records fall into this many buckets by their hash. */
export const BUCKETS = 64;

/** A 64-bit hash of text in two halves. `seed` is chosen anew for each run, so nobody can prepare collisions. */
export class TextHash {
  low = 0;
  high = 0;

  constructor(private readonly seed: number) {}

  start(): this {
    this.low = this.seed ^ 0xdeadbeef;
    this.high = this.seed ^ 0x41c6ce57;
    return this;
  }

  add(text: string): this {
    let low = this.low, high = this.high;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      low = Math.imul(low ^ unit, 2654435761);
      high = Math.imul(high ^ unit, 1597334677);
    }
    // What follows is no continuation of this text.
    this.low = Math.imul(low ^ 0x110000, 2654435761);
    this.high = Math.imul(high ^ 0x110000, 1597334677);
    return this;
  }

  end(): this {
    let low = this.low, high = this.high;
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
    high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    this.low = low >>> 0;
    this.high = high >>> 0;
    return this;
  }

  of(text: string): this {
    return this.start().add(text).end();
  }
}

/** Records of `width` numbers; the first two are the hash. */
export class RecordTable {
  private data: Uint32Array;
  private used = 0;

  constructor(readonly width: number) {
    this.data = new Uint32Array(width * 256);
  }

  get size(): number {
    return this.used / this.width;
  }

  add(...numbers: number[]): void {
    if (this.used + this.width > this.data.length) {
      const larger = new Uint32Array(this.data.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    for (const number of numbers) this.data[this.used++] = number;
  }

  /** All records, in the order they came. */
  all(): Uint32Array {
    return this.data.subarray(0, this.used);
  }

  /** The records by bucket; empty ones are left out. */
  buckets(): Map<number, Uint32Array> {
    const sizes = new Array<number>(BUCKETS).fill(0);
    for (let at = 0; at < this.used; at += this.width) sizes[this.data[at] & (BUCKETS - 1)] += this.width;
    const parts = sizes.map((size) => new Uint32Array(size));
    const ends = new Array<number>(BUCKETS).fill(0);
    for (let at = 0; at < this.used; at += this.width) {
      const bucket = this.data[at] & (BUCKETS - 1);
      parts[bucket].set(this.data.subarray(at, at + this.width), ends[bucket]);
      ends[bucket] += this.width;
    }
    return new Map(parts.flatMap((part, bucket) => part.length ? [[bucket, part] as const] : []));
  }
}

/** The tables of records; the first numbers of a record are a hash, then comes where it was. */
export const TABLES = {
  /** Ids of conversations: hash (2), ordinal. */
  conversations: 3,
  /** Ids of pairs: hash (2), ordinal. */
  pairs: 3,
  /** Runs of pairs: hash of the conversation's id (2), ordinal, turns, words, first and last turn number. */
  runs: 7,
  /** Hash of a history (2), hash of its answer (2), ordinal, place in the row and what it belongs to. */
  answers: 6,
} as const;
export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

export function newTables(): Record<TableName, RecordTable> {
  const tables = TABLE_NAMES.map((name) => [name, new RecordTable(TABLES[name])]);
  return Object.fromEntries(tables) as Record<TableName, RecordTable>;
}
