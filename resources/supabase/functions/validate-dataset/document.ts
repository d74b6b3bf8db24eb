// Reads a file that is one JSON document, or objects over several lines, element by element.
// Only the elements of its main list are rows; metadata beside the list is read whole, the rest only looked through.
// A state machine whose state is a few numbers: it stops between two elements and goes on in another process.
import { LIST_KEYS, METADATA_KEYS } from "./arrangement.ts";
import { isBlankLine, MAX_ROW_BYTES } from "./bytes.ts";
import { cutElement } from "./element.ts";
import type { Intake } from "./intake.ts";
import type { Milestones } from "./milestones.ts";
import type { FindingLog } from "./report.ts";
import { Member, Row } from "./rows.ts";
import type { DocumentState, Phase } from "./phases.ts";
import { isContainerOrText, NeedsMore, newSkip, skipOn, type SkipState, ValueTooLong } from "./scanner.ts";
import type { Path } from "./text/jsontext.ts";
import type { Json } from "./text/parser.ts";
import { megabytes, shown } from "./text/words.ts";
import { readValue, takeText } from "./values.ts";
import { Window } from "./window.ts";

const SUGGEST_AGAIN = "Get the file again from where it was made";
/** Bytes before the position that must be at hand again, since an element's indent is looked at. */
export const BEFORE_BYTES = 256;

/** The document is broken in a way that leaves nothing to go on from. */
class StopReading extends Error {}

export class DocumentCheck {
  /** Top-level keys as far as they were read. */
  keys: string[] = [];
  private phase: Phase;
  private path: (string | number)[] = [];
  private index = 0;
  private comma: [number, number] = [1, 1];
  private skip: SkipState | null = null;
  private window = new Window(new Uint8Array(0), 0, 0, true);

  constructor(
    private readonly isSequence: boolean,
    private readonly intake: Intake,
    private readonly log: FindingLog,
    readonly milestones: Milestones,
  ) {
    this.phase = isSequence ? "sequence" : "open";
  }

  state(): DocumentState {
    const { phase, keys, path, index, comma, skip } = this;
    const [line, column] = this.window.lineAndColumn();
    return { phase, keys, path, index, comma, skip, line, column };
  }

  restore(state: DocumentState): void {
    const { phase, keys, path, index, comma, skip, line, column } = state;
    Object.assign(this, { phase, keys, path, index, comma, skip });
    this.window = new Window(new Uint8Array(0), 0, 0, true, line, column);
  }

  /**
   * Go on at `data[at]`, where `data` begins at byte `base` of the file; returns the bytes of `data` consumed.
   * `isEnd` when the file ends with it. `isTimeUp` is asked between elements.
   */
  take(data: Uint8Array, at: number, base: number, isEnd: boolean, isTimeUp: (done: number) => boolean): number {
    const [line, column] = this.window.lineAndColumn();
    const window = this.window = new Window(data, at, base, isEnd, line, column);
    try {
      // What the end of the file means is judged at once.
      while ((isEnd && window.at === data.length) || !isTimeUp(window.at)) {
        if (this.skip) this.skipOn(this.skip);
        if (this.phase === "stopped") {
          window.at = data.length;
          window.lineAndColumn();
          return window.at;
        }
        if (this.phase === "end" || (this.phase === "sequence" && isEnd)) {
          if (!window.peek()) return data.length;
        }
        this.step();
      }
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error;
    }
    return window.at;
  }

  /** Number of lines of the whole file, once all of it was taken. */
  countLines(): number {
    const [line, column] = this.window.lineAndColumn();
    return column > 1 ? line : line - 1;
  }

  /** The path of the element with this ordinal. */
  prefixOf(ordinal: number): Path {
    if (this.isSequence) return [];
    if (!this.keys.length) return [ordinal];
    const listKey = this.keys.find((key) => LIST_KEYS.includes(key));
    return listKey ? [listKey, ordinal] : [];
  }

  private step(): void {
    const before = this.window.mark();
    try {
      this.perform();
    } catch (error) {
      if (error instanceof NeedsMore) this.window.reset(before);
      if (!(error instanceof StopReading)) throw error;
      this.phase = "stopped";
    }
  }

  private perform(): void {
    const window = this.window;
    const next = window.peek();
    switch (this.phase) {
      case "open":
        if (next === "[") return this.openList([]);
        window.at++;
        this.phase = "key";
        return;
      case "key":
        return this.takeKey(next);
      case "colon":
        this.expect(":", "a colon");
        this.phase = "member";
        return;
      case "member":
        return this.takeMember(next);
      case "memberEnd":
        this.phase = this.expect(",}", "a comma or the end") === "}" ? "end" : "key";
        return;
      case "element":
        if (next !== "]") return this.takeElement([...this.path, this.index], next);
        if (this.index) {
          this.log.addAt("R01", ...this.comma, "Not JSON: a comma before ]", "Remove the comma");
        }
        window.at++;
        return this.closeList();
      case "comma":
        return this.takeComma(next);
      case "sequence":
        return this.takeElement([], next);
      case "end":
        return this.complain("Not JSON: more text after the end of the document", "Keep one document in the file");
    }
  }

  private openList(path: (string | number)[]): void {
    this.window.at++;
    this.path = path;
    this.index = 0;
    this.comma = [1, 1];
    this.phase = "element";
  }

  private closeList(): void {
    this.phase = this.path.length ? "memberEnd" : "end";
  }

  private takeKey(next: string): void {
    if (next !== '"') {
      if (next === "}" && !this.keys.length) {
        this.window.at++;
        this.phase = "end";
        return;
      }
      this.complain('Not JSON: a key in "double quotes" was expected here');
    }
    const { row, value } = this.readMemberValue();
    const key = String(value ?? "None");
    if (this.keys.includes(key)) {
      const message = `The key ${shown(key)} is given twice in one object`;
      this.log.addAt("F21", row.line, row.column, message, "", "warning", key);
    }
    this.keys.push(key);
    this.phase = "colon";
  }

  private takeMember(next: string): void {
    const key = this.keys.at(-1)!;
    if (LIST_KEYS.includes(key) && next === "[") return this.openList([key]);
    const { row, value } = this.readMemberValue([key]);
    if (METADATA_KEYS.includes(key) && value !== null) this.intake.takeMetadata(value, key, new Member(row));
    this.phase = "memberEnd";
  }

  /** Read a key or a value beside the main list; a value over the limit is passed over. */
  private readMemberValue(prefix: Path = []): { row: Row; value: Json } {
    const window = this.window;
    if (!window.peek()) this.complain("Not JSON: a value was expected here");
    const start = new Row("", ...window.lineAndColumn(), prefix);
    let raw: Uint8Array;
    try {
      raw = window.value(MAX_ROW_BYTES);
    } catch (error) {
      if (!(error instanceof ValueTooLong)) throw error;
      this.skip = newSkip(0, 0);
      return { row: start, value: null };
    }
    if (raw.length === 0) this.reportCutOff();
    const { row, value } = readValue(raw, start, this.log, false);
    window.at += raw.length;
    if (value === undefined && !isContainerOrText(raw)) throw new StopReading();
    return { row, value: value ?? null };
  }

  private takeComma(next: string): void {
    if (next === ",") {
      this.comma = this.window.lineAndColumn();
      this.window.at++;
      this.phase = "element";
    } else if (next === "]") {
      this.window.at++;
      this.closeList();
    } else if (next === "{" || next === "[") {
      this.report("Not JSON: a comma between the elements was expected here");
      this.phase = "element";
    } else if (!next) {
      this.reportCutOff();
    } else {
      this.complain("Not JSON: a comma or ] was expected here");
    }
  }

  private takeElement(path: Path, next: string): void {
    if (!next) this.reportCutOff();
    const window = this.window;
    const ordinal = this.index;
    const [line, column] = window.lineAndColumn();
    const start = new Row("", line, column, path);
    this.milestones.pass(ordinal, window.offset, line, column);
    // In an indented file the next element begins like this one.
    const indent = window.indent(BEFORE_BYTES);
    const { raw, broken, isTooLong } = cutElement(window, indent === null ? null : "\n" + indent + "{");
    if (broken < 0 && isTooLong) {
      this.skip = newSkip(line, column);
      this.milestones.demand();
      this.passElement();
      return;
    }
    if (broken < 0 && !raw.length) {
      readValue(window.data.subarray(window.at), start, this.log, true);
      throw new StopReading();
    }
    if (broken >= 0) {
      // A quote too many hides the end of the element; go on where the next one seems to begin.
      let end = window.at + broken;
      while (end > window.at && isBlankLine(window.data.subarray(end - 1, end))) end--;
      if (window.data[end - 1] === 0x2c) end--;
      takeText(window.data.subarray(window.at, end), start, this.intake, this.log, ordinal, false);
      window.at = end;
      this.milestones.demand();
      this.passElement();
      return;
    }
    window.at += raw.length;
    takeText(raw, start, this.intake, this.log, ordinal, false);
    this.passElement();
    if (raw.length === 1 && !isContainerOrText(raw) && !(raw[0] >= 0x30 && raw[0] <= 0x39)) {
      throw new StopReading();
    }
  }

  private passElement(): void {
    this.index++;
    if (this.phase !== "sequence") this.phase = "comma";
  }

  private skipOn(skip: SkipState): void {
    const window = this.window;
    const isDone = skipOn(skip, window.data, window);
    window.lineAndColumn();
    if (!isDone && !window.isEnd) throw new NeedsMore();
    this.skip = null;
    if (skip.line) {
      const message = `The row has ${megabytes(skip.bytes)} MB, over the limit of 16 MiB`;
      this.log.addAt("F11", skip.line, skip.column, message);
    }
  }

  private expect(allowed: string, words: string): string {
    const found = this.window.peek();
    if (!found) this.reportCutOff();
    if (!allowed.includes(found)) this.complain(`Not JSON: ${words} was expected here`);
    this.window.at++;
    return found;
  }

  private reportCutOff(): never {
    this.log.addAt("F10", ...this.window.lineAndColumn(), "The document is cut off here", SUGGEST_AGAIN);
    throw new StopReading();
  }

  private complain(message: string, suggestion = ""): never {
    this.report(message, suggestion);
    throw new StopReading();
  }

  private report(message: string, suggestion = ""): void {
    this.log.addAt("R01", ...this.window.lineAndColumn(), message, suggestion);
  }
}
