// Distributions in fixed bins: small enough for a checkpoint whatever the file holds. Pure.

/** Where the bins of turns begin; the last one is open. */
export const TURN_BINS = [...Array(22).keys(), 31, 51, 101, 201, 501, 1001];
/** Where the bins of tokens and characters begin: seven in every power of ten. */
export const SIZE_BINS = [
  0,
  1,
  ...[0, 1, 2, 3, 4, 5, 6].flatMap((power) => [10, 15, 20, 30, 40, 50, 70].map((step) => step * 10 ** power)),
];

export class Histogram {
  counts: number[];

  constructor(private readonly starts: number[]) {
    this.counts = new Array(starts.length).fill(0);
  }

  add(value: number): void {
    const starts = this.starts;
    let low = 0, high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= value) low = middle;
      else high = middle - 1;
    }
    this.counts[low]++;
  }

  /** The bins from the first to the last that has something; both ends belong to a bin, the last one may be open. */
  bins(): { from: number; to: number | null; count: number }[] {
    const first = this.counts.findIndex((count) => count > 0);
    if (first < 0) return [];
    const last = this.counts.findLastIndex((count) => count > 0);
    return this.counts.slice(first, last + 1).map((count, index) => {
      const next = this.starts[first + index + 1];
      return { from: this.starts[first + index], to: next === undefined ? null : next - 1, count };
    });
  }
}

/** Divide and round to two decimals, halves up; 0 if there is nothing to divide by. */
export function roundedRatio(numerator: number, denominator: number): number {
  if (!denominator) return 0;
  // Whole numbers of any size: 200 times the tokens of a file may leave the range that floats hold exactly.
  const double = 2n * BigInt(denominator);
  return Number((200n * BigInt(numerator) + BigInt(denominator)) / double) / 100;
}
