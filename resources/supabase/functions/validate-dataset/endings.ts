// The findings that only the whole file shows, made of the places that `merge.ts` found and the rows read again.
import type { Intake } from "./intake.ts";
import type { Pending } from "./merge.ts";
import { isObject, rowKind } from "./formats.ts";
import type { FindingLog } from "./report.ts";
import type { Row } from "./rows.ts";
import { reportFalling } from "./runs.ts";
import { OF_CONVERSATION, OF_GROUPED_PAIR } from "./seen.ts";
import { parse, type Path } from "./text/jsontext.ts";
import { grouped } from "./text/words.ts";

const MIN_CONVERSATIONS = 10;
const ID = ["conversation_id"];
const GROUP_ID = ["conversation_metadata", "conversation_id"];

/** Finds a row by its ordinal; it was asked for before. */
export type Rows = (ordinal: number) => Row;

/** Ordinals of the rows that must be read again for the findings of `pending`. */
export function rowsNeeded(pending: Pending[]): number[] {
  const needed = new Set<number>();
  for (const { code, ordinal, facts } of pending) {
    needed.add(ordinal);
    // The message names the line of the first use.
    if (code !== "P07") needed.add(facts[0]);
  }
  return [...needed].sort((a, b) => a - b);
}

/** Turn places into findings. */
export function report(pending: Pending[], rows: Rows, log: FindingLog): void {
  for (const { code, ordinal, part, facts } of pending) {
    const place = rows(ordinal);
    if (code === "P07") {
      reportFalling(log, place, facts[0], facts[1]);
      continue;
    }
    const first = (path: Path) => rows(facts[0]).position(path)[0];
    if (code === "C18" || code === "P06") {
      const path = code === "P06" ? ["id"] : isGroup(place) ? GROUP_ID : ID;
      log.add(code, place, path, `${path.at(-1)} is already used on line ${first(path)}`);
      continue;
    }
    const { kind, index, path } = partOf(part);
    const firstLine = first(partOf(facts[1]).path);
    if (code === "C20") {
      if (kind === OF_CONVERSATION) path.push("turns", index);
      else path.push("target_response");
      log.add(code, place, path, `Another answer to the same history stands on line ${firstLine}`);
    } else if (code === "C19") {
      log.add(code, place, ["turns"], `The same conversation as on line ${firstLine}`);
    } else {
      log.add(code, place, path, `The same history and answer as on line ${firstLine}`);
    }
  }
}

/** What a record of an answer belongs to: the turn or pair in its row, and the path of the pair. */
function partOf(packed: number): { kind: number; index: number; path: (string | number)[] } {
  const kind = packed % 4, index = Math.floor(packed / 4);
  return { kind, index, path: kind === OF_GROUPED_PAIR ? ["training_pairs", index] : [] };
}

function isGroup(row: Row): boolean {
  const { value } = parse(row.text);
  return isObject(value) && rowKind(value, null) === "pair_group";
}

/** T01 to T04, M01 and F13. */
export function reportTotals(intake: Intake, log: FindingLog): void {
  const { statistics } = intake;
  intake.declared.compare(statistics, log);
  const { llama_factory, trl, axolotl, mistral } = statistics.trainers;
  const unordered = "user and assistant do not take turns";
  const foretold: [string, number, string, string][] = [
    ["T01", llama_factory, "LLaMA-Factory would drop", `: ${unordered}`],
    ["T02", trl, "TRL would cut", " at its default of 1,024 tokens"],
    ["T03", axolotl, "Axolotl would drop", " over 2,048 tokens"],
    ["T04", mistral, "mistral-finetune would refuse", `: ${unordered}`],
  ];
  for (const [code, number, verb, why] of foretold) {
    if (!number) continue;
    log.addAt(code, 1, 1, `${verb} ${grouped(number)} of ${grouped(statistics.conversations)} conversations${why}`);
  }
  const { conversations } = statistics;
  // A file with errors and no conversation has been told enough.
  if (conversations >= MIN_CONVERSATIONS || (!conversations && log.levels.error)) return;
  const noun = conversations === 1 ? "conversation" : "conversations";
  const message = conversations ? `Only ${conversations} ${noun}: too few to learn from` : "No conversations";
  log.addAt("F13", 1, 1, message);
}
