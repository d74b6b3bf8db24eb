// The check of one file: fed with stretches of bytes, stopped and taken up again anywhere between two rows.
// Owns the order of things from the first byte to the report; where bytes come from is left to others. No network.
import { type Arrangement, arrangementOf, HEAD_BYTES, isEmptyText } from "./arrangement.ts";
import { BYTE_ORDER_MARK, decodeLenient, startsWith, wideEncoding } from "./bytes.ts";
import { BEFORE_BYTES, DocumentCheck } from "./document.ts";
import { elementAgain } from "./element.ts";
import { report, reportTotals, rowsNeeded } from "./endings.ts";
import { FOREIGN_NAMES } from "./formats.ts";
import { Intake, type IntakeState } from "./intake.ts";
import { LineCheck, type LinesState } from "./lines.ts";
import { Merge, type MergeState, type Parts } from "./merge.ts";
import { type Milestone, Milestones, type MilestonesState } from "./milestones.ts";
import { newTables, type RecordTable, TABLE_NAMES, type TableName } from "./records.ts";
import type { DocumentState } from "./phases.ts";
import { type Finding, FindingLog, type LogState } from "./report.ts";
import type { Level } from "./rulebook.ts";
import { Row } from "./rows.ts";
import type { SampleConversation } from "./sample.ts";
import { Statistics, type StatisticsState } from "./statistics.ts";
import { megabytes } from "./text/words.ts";

/** The largest dataset the service takes: 500 MiB. */
export const MAX_FILE_BYTES = 524_288_000;
export { HEAD_BYTES };

export interface CheckOptions {
  sizeBytes: number;
  fileName: string;
  /** The format chosen for the upload, which the file's own is compared with. */
  declaredFormat: string | null;
  /** The same content is in another dataset of this user. */
  isKnownContent: boolean;
  maxPerCode: number;
  maxKept: number;
  /** Chosen at random for each run. */
  seed: number;
}

export interface CheckState {
  arrangement: Arrangement | null;
  isOver: boolean;
  log: LogState;
  statistics: StatisticsState;
  intake: IntakeState | null;
  lines: LinesState | null;
  document: DocumentState | null;
  milestones: MilestonesState;
  merge: MergeState;
}

export interface CheckReport {
  layout: string;
  format: string | null;
  counts: Record<Level, number>;
  counts_by_code: Record<string, number>;
  findings: Finding[];
  findings_total: number;
  statistics: Record<string, unknown>;
  sample: SampleConversation[];
}

/** Reads bytes of the file again. */
export type Read = (from: number, to: number) => Promise<Uint8Array>;

export class Check {
  readonly log: FindingLog;
  readonly statistics = new Statistics();
  /** Nothing more of the file has to be read. */
  isOver = false;
  private arrangement: Arrangement | null = null;
  private intake: Intake;
  private lines: LineCheck | null = null;
  private document: DocumentCheck | null = null;
  private readonly milestones = new Milestones();
  private readonly merge: Merge;

  constructor(private readonly options: CheckOptions) {
    this.log = new FindingLog(options.maxPerCode, options.maxKept);
    this.intake = this.newIntake(false);
    this.merge = new Merge(this.statistics, (code) => this.log.room(code));
  }

  state(): CheckState {
    return {
      arrangement: this.arrangement,
      isOver: this.isOver,
      log: this.log.state(),
      statistics: this.statistics.state(),
      intake: this.intake.state(),
      lines: this.lines?.state() ?? null,
      document: this.document?.state() ?? null,
      milestones: this.milestones.state(),
      merge: this.merge.state(),
    };
  }

  restore(state: CheckState): void {
    this.isOver = state.isOver;
    this.log.restore(state.log);
    this.statistics.restore(state.statistics);
    this.milestones.restore(state.milestones);
    this.merge.restore(state.merge);
    if (state.arrangement) this.open(state.arrangement);
    if (state.intake) this.intake.restore(state.intake);
    if (state.lines) this.lines!.restore(state.lines);
    if (state.document) this.document!.restore(state.document);
  }

  /** Bytes before the position that the next call of `take` must be given again. */
  get beforeBytes(): number {
    return this.document ? BEFORE_BYTES : 0;
  }

  /** Judge the file by its first MiB, or by all of it if it is smaller; returns where its text begins. */
  begin(data: Uint8Array): number {
    const { sizeBytes, fileName, isKnownContent } = this.options;
    const head = data.subarray(0, HEAD_BYTES);
    const isWhole = sizeBytes <= HEAD_BYTES;
    const start = startsWith(head, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
    const text = decodeLenient(head.subarray(start));
    const encoding = wideEncoding(head);
    this.isOver = true;
    if (sizeBytes > MAX_FILE_BYTES) {
      const message = `The file has ${megabytes(sizeBytes, 1024 * 1024)} MiB; a dataset may have 500 MiB`;
      this.log.addAt("F02", 1, 1, message);
      return start;
    }
    if (isKnownContent) this.log.addAt("F17", 1, 1, "The same content is already uploaded");
    if (encoding !== null) {
      this.log.addAt("F04", 1, 1, `The file is ${encoding}, not UTF-8`, "Save the file as UTF-8 text");
      return start;
    }
    if (start) this.log.addAt("F05", 1, 1, "Byte order mark at the start");
    if (isWhole && isEmptyText(text)) {
      this.log.addAt("F01", 1, 1, sizeBytes === start ? "The file is empty" : "The file has only blank lines");
      return start;
    }
    this.isOver = false;
    const suffix = /[^.]\.[^.]*$/.test(fileName) ? fileName.slice(fileName.lastIndexOf(".")).toLowerCase() : "";
    this.open(arrangementOf(text, suffix, this.log));
    return start;
  }

  /**
   * Go on at `data[at]`, where `data` begins at byte `base` of the file; returns how many bytes of `data` are done.
   * `isEnd` when the file ends with it. `isTimeUp(done)` is asked between rows. If it comes no further it needs more
   * bytes at once.
   */
  take(data: Uint8Array, at: number, base: number, isEnd: boolean, isTimeUp: (done: number) => boolean): number {
    const isStopped = (done: number) => done > at && isTimeUp(done - at);
    let done: number;
    if (this.lines) done = at + this.lines.take(data.subarray(at), base + at, isEnd, (n) => n > 0 && isTimeUp(n));
    else done = this.document!.take(data, at, base, isEnd, isStopped);
    if (isEnd && done === data.length) {
      this.isOver = true;
      this.intake.runs.close();
      this.lines?.finish();
      if (this.document) this.statistics.lines = this.document.countLines();
    }
    return done;
  }

  /** Number of records collected since they were last handed over. */
  get recordCount(): number {
    return TABLE_NAMES.reduce((sum, name) => sum + this.intake.seen.tables[name].size, 0);
  }

  /** Hand over the records collected since the last call. */
  takeTables(): Record<TableName, RecordTable> {
    const { seen } = this.intake;
    const { tables } = seen;
    seen.tables = newTables();
    return tables;
  }

  /** Compare the records of whole buckets, each once, after the last byte. */
  compare(parts: Parts): void {
    this.merge.take(parts);
  }

  /** Add the findings of the whole file and return the report. */
  async finish(read: Read): Promise<CheckReport> {
    const { pending, more } = this.merge.results();
    const rows = new Map<number, Row>();
    for (const ordinal of rowsNeeded(pending)) rows.set(ordinal, await this.rowAgain(ordinal, read));
    report(pending, (ordinal) => rows.get(ordinal)!, this.log);
    for (const [code, number] of more) this.log.countMore(code, number);
    if (this.arrangement) reportTotals(this.intake, this.log);
    const { levels, codes } = this.log;
    return {
      layout: this.layout(),
      format: this.intake.format,
      counts: levels,
      counts_by_code: Object.fromEntries(Object.entries(codes).sort(([a], [b]) => (a < b ? -1 : 1))),
      findings: this.log.findings(),
      findings_total: levels.error + levels.warning + levels.info,
      statistics: this.statistics.figures(),
      sample: this.intake.sample.conversations,
    };
  }

  private newIntake(inDocument: boolean): Intake {
    const { declaredFormat, seed } = this.options;
    return new Intake(this.log, this.statistics, declaredFormat, inDocument, seed);
  }

  private open(arrangement: Arrangement): void {
    this.arrangement = arrangement;
    this.intake = this.newIntake(arrangement === "document");
    if (arrangement === "lines") this.lines = new LineCheck(this.intake, this.log, this.milestones);
    else this.document = new DocumentCheck(arrangement === "sequence", this.intake, this.log, this.milestones);
  }

  private async rowAgain(ordinal: number, read: Read): Promise<Row> {
    const stone = this.milestones.before(ordinal);
    const { sizeBytes } = this.options;
    for (let length = 512 * 1024;; length *= 4) {
      const end = Math.min(sizeBytes, stone.offset + length);
      const row = this.rowWithin(await read(stone.offset, end), end === sizeBytes, stone, ordinal);
      if (row) return row;
    }
  }

  /** The row with this ordinal in bytes that begin at a milestone, null if they do not reach its end. */
  private rowWithin(
    data: Uint8Array,
    isEnd: boolean,
    stone: Milestone,
    ordinal: number,
  ): Row | null {
    if (this.document) {
      return elementAgain(data, isEnd, stone, ordinal, this.document.prefixOf(ordinal));
    }
    return LineCheck.rowAgain(data, isEnd, stone.ordinal, ordinal);
  }

  private layout(): string {
    const { kind } = this.intake;
    if (!this.arrangement) return "unknown";
    if (kind !== null && kind in FOREIGN_NAMES) return kind;
    if (this.arrangement !== "document") {
      const layouts: Record<string, string> = {
        conversation: "conversation_lines",
        pair: "pair_lines",
        pair_group: "v4_document",
      };
      return layouts[kind ?? ""] ?? "unknown";
    }
    const { keys } = this.document!;
    if (!keys.length) return kind === null ? "unknown" : "array";
    if (keys.includes("training_file_metadata") || kind === "pair_group") return "v4_document";
    if (keys.includes("dataset_metadata") || keys.includes("training_pairs")) return "v3_document";
    return kind === null ? "unknown" : "v4_document";
  }
}

/** Check a whole file that is in memory. */
export function checkBytes(
  data: Uint8Array,
  options: Omit<CheckOptions, "sizeBytes" | "seed">,
): Promise<CheckReport> {
  const check = new Check({ ...options, sizeBytes: data.length, seed: 1 });
  const start = check.begin(data);
  if (!check.isOver) check.take(data, start, 0, true, () => false);
  const tables = check.takeTables();
  check.compare(Object.fromEntries(TABLE_NAMES.map((name) => [name, [tables[name].all()]])) as Parts);
  return check.finish((from, to) => Promise.resolve(data.subarray(from, to)));
}
