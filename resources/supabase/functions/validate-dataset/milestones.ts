// Positions remembered every 256 KiB, so that a row can be found again without reading the file from its start.

const EVERY_BYTES = 256 * 1024;

/** Where a row begins: its ordinal (line, or index in a list), byte offset, line and column. */
export interface Milestone {
  ordinal: number;
  offset: number;
  line: number;
  column: number;
}

export interface MilestonesState {
  stones: number[][];
  next: number;
}

export class Milestones {
  private readonly stones: Milestone[] = [];
  private next = 0;

  /** A row begins here; remembered if the last milestone is far enough behind. */
  pass(ordinal: number, offset: number, line: number, column: number): void {
    if (offset < this.next) return;
    this.next = offset + EVERY_BYTES;
    this.stones.push({ ordinal, offset, line, column });
  }

  /** Remember the next row in any case: the way to it from here cannot be found by brackets. */
  demand(): void {
    this.next = 0;
  }

  /** The last milestone at or before a row. */
  before(ordinal: number): Milestone {
    let low = 0, high = this.stones.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.stones[middle].ordinal <= ordinal) low = middle;
      else high = middle - 1;
    }
    return this.stones[low];
  }

  state(): MilestonesState {
    const stones = this.stones.map(({ ordinal, offset, line, column }) => [ordinal, offset, line, column]);
    return { stones, next: this.next };
  }

  restore(state: MilestonesState): void {
    for (const [ordinal, offset, line, column] of state.stones) this.stones.push({ ordinal, offset, line, column });
    this.next = state.next;
  }
}
