// What a check found: findings, the log that counts all and keeps the first ones, their plain shapes.
// Decides nothing about files: the rules do.
import { type Level, RULES } from "./rulebook.ts";
import type { Path } from "./text/jsontext.ts";
import { compareText } from "./text/words.ts";

/** One mistake: line and column count from 1, columns in characters. */
export interface Finding {
  code: string;
  level: Level;
  line: number;
  column: number;
  path: string;
  message: string;
  suggestion: string;
}

/** Something that knows where its parts are in the file, such as a row. */
export interface Place {
  readonly prefix: Path;
  position(path: Path): [line: number, column: number];
}

export function levelOf(code: string): Level {
  return RULES[code][0];
}

/** ("turns", 2, "content") as people read it: turns[2].content. */
export function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text ? `.${step}` : step;
  }
  return text;
}

export interface LogState {
  kept: Finding[];
  codes: Record<string, number>;
  levels: Record<Level, number>;
}

/**
 * Counts every finding, keeps the first `maxPerCode` of each code and of those the first `maxKept` of the file.
 * Beyond that a finding costs one counter: neither its position nor its texts are kept.
 */
export class FindingLog {
  private kept: Finding[] = [];
  readonly codes: Record<string, number> = {};
  readonly levels: Record<Level, number> = { error: 0, warning: 0, info: 0 };
  /** Nothing behind this position can be among the first `maxKept` any more. */
  private closedAt: Finding | null = null;

  constructor(private readonly maxPerCode: number, private readonly maxKept: number) {}

  /** Add a finding at the value `path` of `place`, which is asked for the position only if it is kept. */
  add(code: string, place: Place, path: Path, message: string, suggestion = "", level = levelOf(code)): void {
    if (!this.count(code, level, 1)) return;
    const [line, column] = place.position(path);
    this.keep({ code, level, line, column, path: pathText([...place.prefix, ...path]), message, suggestion });
  }

  /** Add a finding whose position is known. */
  addAt(
    code: string,
    line: number,
    column: number,
    message: string,
    suggestion = "",
    level = levelOf(code),
    path = "",
  ): void {
    if (this.count(code, level, 1)) this.keep({ code, level, line, column, path, message, suggestion });
  }

  /** Count findings that will not be kept. */
  countMore(code: string, number: number, level = levelOf(code)): void {
    if (number) this.count(code, level, number);
  }

  /** How many more findings of this code would be kept. */
  room(code: string): number {
    return Math.max(0, this.maxPerCode - (this.codes[code] ?? 0));
  }

  /** The findings kept, in the order of the file. */
  findings(): Finding[] {
    return this.kept.toSorted(inFileOrder).slice(0, this.maxKept);
  }

  state(): LogState {
    return { kept: this.findings(), codes: this.codes, levels: this.levels };
  }

  restore(state: LogState): void {
    this.kept = state.kept;
    Object.assign(this.codes, state.codes);
    Object.assign(this.levels, state.levels);
    this.close();
  }

  private count(code: string, level: Level, number: number): boolean {
    this.levels[level] += number;
    this.codes[code] = (this.codes[code] ?? 0) + number;
    return this.codes[code] <= this.maxPerCode;
  }

  private keep(finding: Finding): void {
    finding.suggestion ||= RULES[finding.code][1];
    if (this.closedAt && inFileOrder(finding, this.closedAt) >= 0) return;
    this.kept.push(finding);
    if (this.kept.length >= 4 * this.maxKept) this.close();
  }

  private close(): void {
    if (this.kept.length < this.maxKept) return;
    this.kept = this.findings();
    this.closedAt = this.kept[this.maxKept - 1];
  }
}

function inFileOrder(left: Finding, right: Finding): number {
  return left.line - right.line || left.column - right.column ||
    compareText(left.code, right.code) || compareText(left.path, right.path);
}
