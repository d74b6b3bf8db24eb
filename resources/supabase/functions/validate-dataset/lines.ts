// Reads a file of lines: cuts bytes into rows, reports what is wrong with bytes and lines, hands rows to the intake.
// Works on whatever stretch of the file is at hand and says how far it came; what is left is given again with more.
import type { Intake } from "./intake.ts";
import type { FindingLog } from "./report.ts";
import { Row } from "./rows.ts";
import { takeText } from "./values.ts";
import { decodeLenient, isBlankLine, MAX_ROW_BYTES } from "./bytes.ts";
import type { Milestones } from "./milestones.ts";
import { characters, megabytes } from "./text/words.ts";

const NEWLINE = 10;
const RETURN = 13;

export interface LinesState {
  firstBlankLine: number;
  blankLines: number;
  crlfSeen: boolean;
  /** Bytes passed of a line over the limit, 0 outside of one. */
  skipped: number;
}

export class LineCheck {
  private firstBlankLine = 0;
  private blankLines = 0;
  private crlfSeen = false;
  private skipped = 0;

  constructor(private readonly intake: Intake, private readonly log: FindingLog, readonly milestones: Milestones) {}

  state(): LinesState {
    const { firstBlankLine, blankLines, crlfSeen, skipped } = this;
    return { firstBlankLine, blankLines, crlfSeen, skipped };
  }

  restore(state: LinesState): void {
    Object.assign(this, state);
  }

  /**
   * Take the rows of `data`, which begins at byte `base` of the file with a whole line; returns the bytes consumed.
   * `isEnd` when the file ends with it. `isTimeUp` is asked between rows.
   */
  take(data: Uint8Array, base: number, isEnd: boolean, isTimeUp: (done: number) => boolean): number {
    let start = 0;
    while (start < data.length) {
      if (isTimeUp(start)) return start;
      let end = data.indexOf(NEWLINE, start);
      const isCut = end < 0;
      if (isCut) end = data.length;
      if (this.skipped || (isCut && end - start > MAX_ROW_BYTES)) {
        this.skipped += end - start + (isCut ? 0 : 1);
        if (!isCut || isEnd) this.reportSkipped();
        start = isCut ? end : end + 1;
        continue;
      }
      if (isCut && !isEnd) return start;
      this.takeLine(data.subarray(start, end), base + start, isCut);
      start = end + 1;
    }
    return data.length;
  }

  /** The findings that only the whole file shows. */
  finish(): void {
    if (!this.blankLines) return;
    const noun = this.blankLines === 1 ? "blank line" : "blank lines, the first one here";
    this.log.addAt("F09", this.firstBlankLine, 1, `${this.blankLines} ${noun}`, "Remove the blank lines");
  }

  /** Find the line with this ordinal in `data`, which begins with line `first`; null if its end is not there. */
  static rowAgain(data: Uint8Array, isEnd: boolean, first: number, ordinal: number): Row | null {
    let start = 0;
    for (let line = first; line < ordinal; line++) {
      start = data.indexOf(NEWLINE, start) + 1;
      if (!start) return null;
    }
    let end = data.indexOf(NEWLINE, start);
    if (end < 0 && !isEnd) return null;
    if (end < 0) end = data.length;
    else if (end > start && data[end - 1] === RETURN) end--;
    return new Row(decodeLenient(data.subarray(start, end)), ordinal);
  }

  private reportSkipped(): void {
    const line = ++this.intake.statistics.lines;
    this.log.addAt("F11", line, 1, `The row has ${megabytes(this.skipped)} MB, over the limit of 16 MiB`);
    this.skipped = 0;
  }

  private takeLine(raw: Uint8Array, offset: number, isCut: boolean): void {
    const line = ++this.intake.statistics.lines;
    this.milestones.pass(line, offset, line, 1);
    if (!isCut && raw.length && raw[raw.length - 1] === RETURN) {
      if (!this.crlfSeen) {
        this.crlfSeen = true;
        const column = characters(new TextDecoder().decode(raw));
        this.log.addAt("F06", line, column, "Windows line ends", "Fine as they are; LF is usual");
      }
      raw = raw.subarray(0, raw.length - 1);
    }
    if (isBlankLine(raw)) {
      this.blankLines++;
      this.firstBlankLine ||= line;
      return;
    }
    if (raw.length > MAX_ROW_BYTES) {
      this.log.addAt("F11", line, 1, `The row has ${megabytes(raw.length)} MB, over the limit of 16 MiB`);
      return;
    }
    takeText(raw, new Row("", line), this.intake, this.log, line, isCut);
  }
}
