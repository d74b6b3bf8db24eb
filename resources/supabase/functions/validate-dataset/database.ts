// The rows behind a validation: what the caller may see, claims, checkpoints, the verdict. Every function throws
// DatabaseError with the service's message when a call is refused.
// Uses the part of supabase-js that talks to the database, without the rest: that would take 12 MB more (2026-11).
import { PostgrestClient } from "npm:@supabase/postgrest-js@2";
import { BUCKETS, type RecordTable, TABLE_NAMES, type TableName } from "./records.ts";
import type { Parts } from "./merge.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import type { Settings } from "./settings.ts";

export class DatabaseError extends Error {
  constructor(message: string, readonly status: number, readonly detail: string) {
    super(message);
  }
}

/** A claimed dataset, as `claim_validation` gives it. */
export interface Claim {
  run: string;
  /** How often it was claimed since its last checkpoint, this time included. */
  attempts: number;
  id: string;
  format: string;
  file_name: string;
  file_size: number;
  storage_bucket: string;
  storage_path: string;
  checksums: { whole: string; slice_size: number; slices: string[] } | null;
  object_version: string;
  progress: Record<string, unknown> | null;
  object: { version: string; size_bytes: number; type: string | null; is_allowed_type: boolean | null } | null;
  is_known_content: boolean;
}

export interface DatasetStatus {
  id: string;
  status: string;
}

export class Database {
  private readonly service: PostgrestClient;

  constructor(private readonly settings: Settings) {
    this.service = this.client(settings.serviceKey, `Bearer ${settings.serviceKey}`);
  }

  /** The dataset as the bearer of `authorization` sees it: null if it is not there or not theirs. */
  async visibleDataset(id: string, authorization: string): Promise<DatasetStatus | null> {
    const caller = this.client(this.settings.anonKey, authorization);
    return must(await caller.from("datasets").select("id,status").eq("id", id).maybeSingle());
  }

  /** Datasets that wait and that no run has, the longest waiting first. */
  async waiting(limit: number): Promise<string[]> {
    const query = this.service.from("datasets").select("id,lease_until:validation_progress->>lease_until")
      .eq("status", "validating").order("updated_at").limit(limit);
    const rows = must(await query) as unknown as { id: string; lease_until: string | null }[];
    const now = Date.now();
    return rows.filter((row) => !row.lease_until || Date.parse(row.lease_until) <= now).map((row) => row.id);
  }

  async claim(id: string): Promise<Claim | null> {
    return await this.call("claim_validation", { p_id: id, p_lease_s: Math.ceil(this.settings.leaseS) });
  }

  /** Save a checkpoint with the records collected since the last one, and let go of the dataset. */
  async save(claim: Claim, progress: unknown, tables: Record<TableName, RecordTable> | null): Promise<void> {
    const records = TABLE_NAMES.flatMap((table) =>
      [...tables?.[table].buckets() ?? []].map(([bucket, part]) => ({ table, bucket, records: toBase64(part) }))
    );
    await this.call("save_validation", {
      p_id: claim.id,
      p_run: claim.run,
      p_progress: progress,
      p_records: records,
    });
  }

  /** The saved records of some buckets, in the order of the file. */
  async records(claim: Claim, buckets: number[]): Promise<Parts> {
    const parts = Object.fromEntries(TABLE_NAMES.map((name) => [name, [] as Uint32Array[]])) as Parts;
    if (!buckets.length) return parts;
    const found = await this.call("validation_records_of", { p_id: claim.id, p_run: claim.run, p_buckets: buckets });
    for (const { table, records } of found as { table: TableName; records: string }[]) {
      parts[table].push(fromBase64(records));
    }
    return parts;
  }

  async end(claim: Claim, result: unknown): Promise<void> {
    await this.call("end_validation", {
      p_id: claim.id,
      p_run: claim.run,
      p_object_version: claim.object_version,
      p_result: result,
    });
  }

  private client(apikey: string, authorization: string): PostgrestClient {
    return new PostgrestClient(`${this.settings.url}/rest/v1`, { headers: { apikey, Authorization: authorization } });
  }

  // deno-lint-ignore no-explicit-any
  private async call(name: string, values: Record<string, unknown>): Promise<any> {
    return must(await this.service.rpc(name, values));
  }
}

export const ALL_BUCKETS = Array.from({ length: BUCKETS }, (_, index) => index);

function must<T>(
  answer: { data: T; error: { message: string; details?: string; code?: string } | null; status: number },
): T {
  if (answer.error) {
    throw new DatabaseError(answer.error.message, answer.status, answer.error.details ?? "");
  }
  return answer.data;
}
