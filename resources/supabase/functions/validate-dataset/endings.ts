// The findings that only the whole file shows, made of the places that `merge.ts` found and the rows read again.
import { type Intake, OF_CONVERSATION, OF_GROUPED_PAIR } from "./intake.ts";
import type { Pending } from "./merge.ts";
import type { FindingLog, Place } from "./report.ts";
import type { Path } from "./text/jsontext.ts";

const MIN_CONVERSATIONS = 10;
const ID = ["conversation_id"];
const GROUP_ID = ["conversation_metadata", "conversation_id"];

/** Finds a row by its ordinal; it was asked for before. */
export type Rows = (ordinal: number) => Place;

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
export function report(pending: Pending[], rows: Rows, intake: Intake, log: FindingLog): void {
  const idPath = intake.kind === "pair_group" ? GROUP_ID : ID;
  for (const { code, ordinal, part, facts } of pending) {
    const place = rows(ordinal);
    if (code === "P07") {
      intake.reportFalling(place, facts[0], facts[1]);
      continue;
    }
    const first = (path: Path) => rows(facts[0]).position(path)[0];
    if (code === "C18" || code === "P06") {
      const path = code === "C18" ? idPath : ["id"];
      log.add(code, place, path, `${path.at(-1)} is already used on line ${first(path)}`, "Make it unique");
      continue;
    }
    const kind = part % 4, index = Math.floor(part / 4);
    const path: (string | number)[] = kind === OF_GROUPED_PAIR ? ["training_pairs", index] : [];
    if (code === "C20") {
      if (kind === OF_CONVERSATION) path.push("turns", index);
      else path.push("target_response");
      log.add(code, place, path, `Same history as on line ${first([])}, different answer`);
    } else if (code === "C19") {
      log.add(code, place, ["turns"], `The same conversation as on line ${first([])}`);
    } else {
      log.add(code, place, path, `The same pair as on line ${first([])}`);
    }
  }
}

/** T01 to T04, M01 and F13. */
export function reportTotals(intake: Intake, log: FindingLog): void {
  const { statistics } = intake;
  intake.compareTotals();
  const { llama_factory, trl, axolotl, mistral } = statistics.trainers;
  const foretold: [string, number, string][] = [
    ["T01", llama_factory, "LLaMA-Factory would drop"],
    ["T02", trl, "TRL would cut"],
    ["T03", axolotl, "Axolotl would drop"],
    ["T04", mistral, "mistral-finetune would refuse"],
  ];
  for (const [code, number, words] of foretold) {
    if (number) log.addAt(code, 1, 1, `${words} ${number} ${number === 1 ? "conversation" : "conversations"}`);
  }
  const { conversations } = statistics;
  if (conversations > 0 && conversations < MIN_CONVERSATIONS) {
    const noun = conversations === 1 ? "conversation" : "conversations";
    const message = `Only ${conversations} ${noun}: too few to learn from`;
    log.addAt("F13", 1, 1, message, `Collect at least ${MIN_CONVERSATIONS}`);
  }
}
