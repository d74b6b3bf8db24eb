// One run: claims a dataset, checks the next stretch of its file, and saves or ends. Never trusts what a client wrote.
import { Check, type CheckReport, HEAD_BYTES } from "./check.ts";
import { type Checkpoint, checkpointIn, checkpointOf, restoreInto } from "./checkpoint.ts";
import { ALL_BUCKETS, type Claim, type Database, DatabaseError } from "./database.ts";
import type { Parts } from "./merge.ts";
import { BUCKETS, type RecordTable, TABLE_NAMES, type TableName } from "./records.ts";
import { failure, resultOf } from "./result.ts";
import type { Settings } from "./settings.ts";
import { ChecksumMismatch, SliceWindow } from "./slices.ts";
import { ObjectReader } from "./storage.ts";

/** "more": the next stretch can be claimed; "ended": there is a verdict; "taken": another run has it, or had it. */
export type Outcome = "more" | "ended" | "taken";

const KEPT_FINDINGS = 100;
const MAX_ATTEMPTS = 5;
/** So many records are saved by one invocation: they pass through several copies on their way. */
const RECORDS_SAVED = 60_000;
/** So many records are compared in one invocation. */
const RECORDS_AT_ONCE = 60_000;

const MISSING = "The file is not in storage any more. Upload it again as a new dataset.";
const REPLACED = "The stored file is not the one that was confirmed. Upload it again as a new dataset.";
const WRONG_TYPE = "The stored file has a type that datasets cannot have. Upload it again as a new dataset.";
const DIFFERENT = "The stored bytes differ from the file that was chosen. Upload it again.";
const NOT_COMPLETED = "The check could not be completed. Validate the dataset again.";

type Tables = Record<TableName, RecordTable>;

/** Do the next piece of work on a dataset; throws ReadError and DatabaseError, after which it can be tried again. */
export async function runOnce(id: string, database: Database, settings: Settings): Promise<Outcome> {
  const claim = await database.claim(id);
  if (claim === null) return "taken";
  try {
    return await work(claim, database, settings);
  } catch (error) {
    if (error instanceof DatabaseError && error.detail === "lease_lost") return "taken";
    throw error;
  }
}

async function work(claim: Claim, database: Database, settings: Settings): Promise<Outcome> {
  const refusal = refusalOf(claim);
  if (refusal !== null) {
    await database.end(claim, failure(refusal));
    return "ended";
  }
  const object = new ObjectReader(settings, claim.storage_bucket, claim.storage_path, claim.file_size);
  const checkpoint = checkpointIn(claim.progress);
  const check = new Check({
    sizeBytes: claim.file_size,
    fileName: claim.file_name,
    declaredFormat: claim.format,
    isKnownContent: claim.is_known_content,
    maxPerCode: KEPT_FINDINGS,
    maxKept: KEPT_FINDINGS,
    seed: checkpoint.seed,
  });
  restoreInto(check, checkpoint);
  const run = new Run(claim, database, settings, object, check, checkpoint);
  try {
    return await (check.isOver ? run.compare(null) : run.read());
  } catch (error) {
    if (!(error instanceof ChecksumMismatch)) throw error;
    await database.end(claim, failure(DIFFERENT));
    return "ended";
  }
}

/** Why the object is not worth reading, if it is not. */
function refusalOf({ object, file_size, object_version, attempts }: Claim): string | null {
  if (object === null) return MISSING;
  if (object.size_bytes !== file_size || object.version !== object_version) return REPLACED;
  if (object.is_allowed_type === false) return WRONG_TYPE;
  return attempts > MAX_ATTEMPTS ? NOT_COMPLETED : null;
}

class Run {
  constructor(
    private readonly claim: Claim,
    private readonly database: Database,
    private readonly settings: Settings,
    private readonly object: ObjectReader,
    private readonly check: Check,
    private readonly checkpoint: Checkpoint,
  ) {}

  /** Check the next stretch of the file. */
  async read(): Promise<Outcome> {
    const { claim, check, checkpoint, settings, database } = this;
    const window = await SliceWindow.open(this.object, claim.checksums, checkpoint.reading);
    const deadline = performance.now() + settings.budgetMs;
    const first = checkpoint.reading.nextByte;
    let nextByte = first;
    let isTimeUp = false;
    while (!check.isOver && !isTimeUp && await window.more()) {
      if (nextByte === 0) {
        // The first bytes decide what the file is, and are judged together.
        if (window.data.length < HEAD_BYTES && !window.isEnd) continue;
        nextByte = check.begin(window.data);
        if (check.isOver) break;
      }
      const start = nextByte - window.base;
      const done = check.take(window.data, start, window.base, window.isEnd, (bytes) => {
        isTimeUp = nextByte - first + bytes >= settings.unitBytes || check.recordCount >= RECORDS_SAVED ||
          performance.now() > deadline;
        return isTimeUp;
      });
      nextByte += done - start;
      window.drop(Math.max(0, done - check.beforeBytes));
    }
    const reading = await window.close(nextByte, check.beforeBytes, !isTimeUp);
    const tables = check.takeTables();
    const records = checkpoint.records + countOf(tables);
    if (check.isOver && (checkpoint.records === 0 || records <= RECORDS_AT_ONCE)) return await this.compare(tables);
    const nextBucket = check.isOver ? 0 : null;
    await database.save(claim, checkpointOf(check, reading, records, nextBucket, checkpoint.seed), tables);
    return "more";
  }

  /** Compare records, all that are left if there are few; `fresh` are those not saved yet. */
  async compare(fresh: Tables | null): Promise<Outcome> {
    const { claim, check, checkpoint, database } = this;
    const first = checkpoint.nextBucket ?? 0;
    const share = Math.ceil((BUCKETS * RECORDS_AT_ONCE) / Math.max(checkpoint.records, 1));
    const buckets = ALL_BUCKETS.slice(first, fresh ? BUCKETS : Math.min(BUCKETS, first + share));
    const isLast = fresh !== null || first + buckets.length === BUCKETS;
    const parts: Parts = await database.records(claim, checkpoint.records ? buckets : []);
    if (fresh) { for (const name of TABLE_NAMES) parts[name].push(fresh[name].all()); }
    check.compare(parts);
    if (!isLast) {
      const { reading, records, seed } = checkpoint;
      await database.save(claim, checkpointOf(check, reading, records, first + buckets.length, seed), null);
      return "more";
    }
    const report: CheckReport = await check.finish((from, to) => this.object.read(from, to));
    await database.end(claim, resultOf(report, claim.checksums !== null));
    return "ended";
  }
}

function countOf(tables: Tables): number {
  return TABLE_NAMES.reduce((sum, name) => sum + tables[name].size, 0);
}
