// Runs the checking core of the Edge Function over many files in one process, for the tests to compare.
// Reads one JSON object a line from stdin, {name, base64, format, isKnown, unit?}, and prints one report a line. With
// `unit` the file is checked in stretches of so many bytes, its state taken apart and put together between them.
import {
  Check,
  checkBytes,
  type CheckReport,
  HEAD_BYTES,
} from "../../resources/supabase/functions/validate-dataset/check.ts";
import { type Parts } from "../../resources/supabase/functions/validate-dataset/merge.ts";
import { TABLE_NAMES } from "../../resources/supabase/functions/validate-dataset/records.ts";

interface Case {
  name: string;
  base64: string;
  format?: string | null;
  isKnown?: boolean;
  unit?: number;
}

async function inStretches(data: Uint8Array, one: Case, unit: number): Promise<CheckReport> {
  const options = { ...optionsOf(one), sizeBytes: data.length, seed: 7 };
  const parts = Object.fromEntries(TABLE_NAMES.map((name) => [name, [] as Uint32Array[]])) as Parts;
  let check = new Check(options);
  let position = check.begin(data.slice(0, HEAD_BYTES));
  for (let reach = position + unit; !check.isOver; reach += unit) {
    const base = Math.max(0, position - check.beforeBytes);
    const end = Math.min(data.length, reach);
    const stretch = data.slice(base, end);
    position = base + check.take(stretch, position - base, base, end === data.length, (done) => done >= unit);
    const tables = check.takeTables();
    for (const name of TABLE_NAMES) parts[name].push(tables[name].all().slice());
    const state = JSON.parse(JSON.stringify(check.state()));
    check = new Check(options);
    check.restore(state);
  }
  check.compare(parts);
  return check.finish((from, to) => Promise.resolve(data.slice(from, to)));
}

function optionsOf(one: Case) {
  return {
    fileName: one.name,
    declaredFormat: one.format ?? null,
    isKnownContent: one.isKnown ?? false,
    maxPerCode: 1000,
    maxKept: Infinity,
  };
}

const lines = (await new Response(Deno.stdin.readable).text()).split("\n").filter(Boolean);
for (const line of lines) {
  const one: Case = JSON.parse(line);
  const data = Uint8Array.from(atob(one.base64), (character) => character.charCodeAt(0));
  let report: unknown;
  try {
    report = one.unit ? await inStretches(data, one, one.unit) : await checkBytes(data, optionsOf(one));
  } catch (error) {
    report = { crash: error instanceof Error ? error.stack : String(error) };
  }
  console.log(JSON.stringify(report));
}
