// What one invocation leaves for the next: how far the object was read, the state of the check, which buckets of
// records were compared. Stored in `validation_progress`; the check's state as text, since texts of a file may hold
// characters that a jsonb value cannot.
import type { Check } from "./check.ts";
import type { CheckState } from "./check.ts";
import { newReadState, type ReadState } from "./slices.ts";

export interface Checkpoint {
  /** For people and clients who look at the row; the same as `reading.nextByte`. */
  next_byte: number;
  reading: ReadState;
  /** Buckets of records below this one are compared; null while the file is read. */
  nextBucket: number | null;
  records: number;
  seed: number;
  check: string | null;
}

export function newCheckpoint(): Checkpoint {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  return { next_byte: 0, reading: newReadState(), nextBucket: null, records: 0, seed, check: null };
}

/** The checkpoint in a row's progress, a new one if it has none. */
export function checkpointIn(progress: Record<string, unknown> | null): Checkpoint {
  return typeof progress?.check === "string" ? progress as unknown as Checkpoint : newCheckpoint();
}

export function restoreInto(check: Check, checkpoint: Checkpoint): void {
  if (checkpoint.check !== null) check.restore(JSON.parse(checkpoint.check) as CheckState);
}

export function checkpointOf(
  check: Check,
  reading: ReadState,
  records: number,
  nextBucket: number | null,
  seed: number,
): Checkpoint {
  return { next_byte: reading.nextByte, reading, nextBucket, records, seed, check: JSON.stringify(check.state()) };
}
