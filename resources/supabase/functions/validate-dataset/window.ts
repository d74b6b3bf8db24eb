// A stretch of a file of JSON with a position that knows its line and column.
import { NeedsMore, valueEnd } from "./scanner.ts";
import { decodeLenient } from "./bytes.ts";
import { characters } from "./text/words.ts";

const encoder = new TextEncoder();

/** What `reset` goes back to. */
export type Mark = [at: number, seen: number, line: number, column: number];

export class Window {
  /** Line and column belong to this offset, which is at or before `at`. */
  private seen: number;

  constructor(
    readonly data: Uint8Array,
    public at: number,
    private readonly base: number,
    readonly isEnd: boolean,
    private line = 1,
    private column = 1,
  ) {
    this.seen = at;
  }

  /** Offset in the file, in bytes. */
  get offset(): number {
    return this.base + this.at;
  }

  mark(): Mark {
    return [this.at, this.seen, this.line, this.column];
  }

  reset(mark: Mark): void {
    [this.at, this.seen, this.line, this.column] = mark;
  }

  /** The position as line and column, both from 1, the column in characters. */
  lineAndColumn(): [number, number] {
    const { data, at } = this;
    let from = this.seen;
    for (let end = data.indexOf(10, from); end >= 0 && end < at; end = data.indexOf(10, from)) {
      this.line++;
      this.column = 1;
      from = end + 1;
    }
    if (from < at) this.column += characters(decodeLenient(data.subarray(from, at)));
    this.seen = at;
    return [this.line, this.column];
  }

  /** Move over white space and return the next byte as a character, "" at the end of the file; throws NeedsMore. */
  peek(): string {
    const data = this.data;
    let at = this.at;
    while (at < data.length) {
      const byte = data[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.at = at;
        return String.fromCharCode(byte);
      }
      at++;
    }
    this.at = at;
    if (!this.isEnd) throw new NeedsMore();
    return "";
  }

  /** The whole value at the position, which is not moved; empty if the file ends inside it. */
  value(limit: number): Uint8Array {
    return this.data.subarray(this.at, valueEnd(this.data, this.at, this.isEnd, limit));
  }

  /** The white space before the position if nothing else stands before it in its line, else null. */
  indent(limit: number): string | null {
    const start = Math.max(0, this.at - limit);
    let from = this.at;
    while (from > start && this.data[from - 1] !== 10) from--;
    if (from === start && this.base + start > 0) return null;
    const before = this.data.subarray(from, this.at);
    if (before.some((byte) => byte !== 0x20 && byte !== 0x09)) return null;
    return String.fromCharCode(...before);
  }

  /** Offset from the position of ASCII text within the next `length` bytes, -1 if it is not there. */
  find(text: string, length: number): number {
    const wanted = encoder.encode(text);
    const part = this.data.subarray(this.at, this.at + length);
    for (let at = part.indexOf(wanted[0]); at >= 0; at = part.indexOf(wanted[0], at + 1)) {
      let index = 1;
      while (index < wanted.length && part[at + index] === wanted[index]) index++;
      if (index === wanted.length) return at;
    }
    return -1;
  }
}
