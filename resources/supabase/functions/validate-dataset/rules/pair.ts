// The rules for one training pair, in a line of its own or inside a document. Remembers no other rows.
import { has, isObject, isWhole, type JsonObject, PAIR_KEYS } from "../formats.ts";
import type { FindingLog, Place } from "../report.ts";
import { isBlank, wordsIn } from "../text/words.ts";
import { checkLength, checkText, jsonType, newFacts, rename, type RowFacts } from "./row.ts";

/**
 * `turnNumber` is null when it is no integer. `history` has role and content of what was said before and the input,
 * one after the other; with `answer` null if the pair cannot be compared with others.
 */
export interface PairFacts extends RowFacts {
  identity: string | null;
  conversationId: string | null;
  turnNumber: number | bigint | null;
  history: string[];
  answer: string | null;
}

/** P01 to P09, C17 and the rules of texts. */
export function checkPair(row: JsonObject, place: Place, log: FindingLog, inDocument: boolean): PairFacts {
  for (const key of PAIR_KEYS) {
    if (!has(row, key)) log.add("P01", place, [key], `No ${key}`, rename(row, key));
  }
  const facts: PairFacts = {
    ...newFacts(),
    trainingPairs: 1,
    identity: textAt(row, "id", place, log),
    conversationId: textAt(row, "conversation_id", place, log),
    turnNumber: null,
    history: [],
    answer: null,
  };
  if (facts.conversationId !== null && isBlank(facts.conversationId)) {
    log.add("C18", place, ["conversation_id"], "conversation_id is blank");
    facts.conversationId = null;
  }
  if (has(row, "turn_number")) {
    const number = row.turn_number;
    if (isWhole(number)) facts.turnNumber = number;
    else {
      const message = `turn_number is ${jsonType(number)}, not a whole number`;
      log.add("P02", place, ["turn_number"], message, "Write it without quotes and fraction");
    }
  }
  const { history } = facts;
  const question = textAt(row, "current_user_input", place, log);
  let words = 0;
  if (question !== null) {
    const target = () => ["current_user_input"];
    const scan = checkText(question, place, target, facts, log);
    countTurn(facts, "user", scan);
    if (scan.isBlank) log.add("P03", place, target(), "current_user_input is blank", "", "warning");
  }
  const answer = checkAnswer(row, facts, place, log, inDocument);
  words += facts.words;
  if (has(row, "system_prompt") && typeof row.system_prompt === "string") {
    const scan = checkText(row.system_prompt, place, () => ["system_prompt"], facts, log);
    facts.texts.push(["system", scan.characters]);
    words += scan.words;
  }
  checkHistory(row, question, history, place, log);
  for (let index = 1; index < history.length; index += 2) words += wordsIn(history[index]);
  checkLength(words, place, [], log);
  if (question !== null && answer !== null && !answer.isBlank) {
    history.push(question);
    facts.answer = answer.text;
  }
  return facts;
}

function checkAnswer(
  row: JsonObject,
  facts: PairFacts,
  place: Place,
  log: FindingLog,
  inDocument: boolean,
): { text: string; isBlank: boolean } | null {
  const target = () => ["target_response"];
  if (has(row, "target_response") && row.target_response === null) {
    if (inDocument) {
      const message = "A turn without an answer: trainers leave it out";
      log.add("P03", place, target(), message, "Fine if it is meant", "info");
    } else log.add("P03", place, target(), "target_response is null", "Write the answer or remove the row");
    return null;
  }
  const text = textAt(row, "target_response", place, log);
  if (text === null) return null;
  const scan = checkText(text, place, target, facts, log);
  countTurn(facts, "assistant", scan);
  if (scan.isBlank) {
    log.add("P03", place, target(), "target_response is blank", "Write the answer or remove the row");
  }
  return { text, isBlank: scan.isBlank };
}

/** P08 and P09. Fills in role and content of the entries that have content, one after the other. */
function checkHistory(
  row: JsonObject,
  question: string | null,
  spoken: string[],
  place: Place,
  log: FindingLog,
): void {
  const history = has(row, "conversation_history") ? row.conversation_history : null;
  if (history === null) return;
  const path = "conversation_history";
  if (!Array.isArray(history)) {
    const message = `conversation_history is ${jsonType(history)}, not a list`;
    log.add("P02", place, [path], message, "Write it as a list in [ ]");
    return;
  }
  for (let index = 0; index < history.length; index++) {
    const entry = history[index];
    if (!isObject(entry)) {
      log.add("P08", place, [path, index], `The history entry is ${jsonType(entry)}, not an object`);
      continue;
    }
    for (const key of ["role", "content"]) {
      if (has(entry, key)) continue;
      log.add("P08", place, [path, index, key], `The history entry has no ${key}`, rename(entry, key));
    }
    if (typeof entry.content === "string") {
      spoken.push(typeof entry.role === "string" ? entry.role : "", entry.content);
    }
  }
  const last = history.at(-1) ?? null;
  if (isObject(last) && last.role === "user" && question !== null) {
    if (typeof last.content === "string" && last.content !== question) {
      const target = [path, history.length - 1, "content"];
      log.add("P09", place, target, "The history ends with another user text than current_user_input");
    }
  }
}

function textAt(row: JsonObject, key: string, place: Place, log: FindingLog): string | null {
  const value = row[key];
  if (typeof value === "string") return value;
  if (has(row, key)) log.add("P02", place, [key], `${key} is ${jsonType(value)}, not text`, "Put it in quotes");
  return null;
}

function countTurn(
  facts: PairFacts,
  role: "user" | "assistant",
  { words, characters }: { words: number; characters: number },
): void {
  facts.turns++;
  facts.words += words;
  facts.characters += characters;
  facts.texts.push([role, characters]);
}
