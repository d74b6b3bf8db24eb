// The rules for one conversation: its id, its turns, their roles and their order. Remembers no other rows.
import { has, isObject, type JsonObject, ROLE_WORDS, ROLES } from "../formats.ts";
import type { FindingLog, Place } from "../report.ts";
import type { Role } from "../statistics.ts";
import type { Path } from "../text/jsontext.ts";
import type { Json } from "../text/parser.ts";
import { isBlank, shown, strip } from "../text/words.ts";
import { checkLength, checkText, jsonType, newFacts, rename, type RowFacts } from "./row.ts";

/**
 * `alternates` is whether trainers that want user and assistant in turns would take it. `messages` are role and content
 * of all turns, one after the other, if the conversation is whole.
 */
export interface ConversationFacts extends RowFacts {
  identity: string | null;
  alternates: boolean;
  messages: string[] | null;
}

/** C18: a conversation needs an id that is text and not blank. Returns it, or null. */
export function checkConversationId(row: JsonObject, place: Place, log: FindingLog, path: Path = []): string | null {
  const identity = row.conversation_id;
  if (typeof identity === "string" && !isBlank(identity)) return identity;
  const target = [...path, "conversation_id"];
  if (!has(row, "conversation_id")) {
    log.add("C18", place, target, "No conversation_id", rename(row, "conversation_id"));
  } else if (typeof identity !== "string") {
    log.add("C18", place, target, `conversation_id is ${jsonType(identity)}, not text`, "Put it in quotes");
  } else {
    log.add("C18", place, target, "conversation_id is blank");
  }
  return null;
}

/** C01 to C18 and the rules of texts. */
export function checkConversation(row: JsonObject, place: Place, log: FindingLog): ConversationFacts {
  const facts: ConversationFacts = {
    ...newFacts(),
    identity: checkConversationId(row, place, log),
    alternates: false,
    messages: null,
  };
  if (!has(row, "turns")) {
    log.add("C01", place, ["turns"], "No turns", rename(row, "turns"));
    return facts;
  }
  const turns = row.turns;
  if (!Array.isArray(turns)) {
    log.add("C01", place, ["turns"], `turns is ${jsonType(turns)}, not a list`);
    return facts;
  }
  if (!turns.length) {
    log.add("C01", place, ["turns"], "turns is empty", "Remove the conversation or add its turns");
    return facts;
  }
  const indices: number[] = [];
  const roles: (string | null)[] = [];
  let userBefore = false;
  for (let index = 0; index < turns.length; index++) {
    const turn = turns[index];
    if (!isObject(turn)) {
      log.add("C02", place, ["turns", index], `The turn is ${jsonType(turn)}, not an object`);
      continue;
    }
    facts.turns++;
    const [role, meantRole] = checkRole(turn, place, log, index);
    indices.push(index);
    roles.push(meantRole);
    checkContent(turn, place, log, index, role, meantRole, facts);
    if (role === "assistant" && userBefore) facts.trainingPairs++;
    userBefore ||= role === "user";
  }
  if (!roles.includes("assistant")) {
    log.add("C07", place, ["turns"], "No assistant turn, so nothing to learn");
  }
  checkOrder(indices, roles, place, log);
  checkLength(facts.words, place, ["turns"], log);
  facts.messages = wholeMessages(turns);
  facts.alternates = alternates(turns);
  return facts;
}

/** Role and content of every turn if each one has both as text, else null. */
function wholeMessages(turns: Json[]): string[] | null {
  const messages: string[] = [];
  for (const turn of turns) {
    if (!isObject(turn) || typeof turn.role !== "string" || typeof turn.content !== "string") return null;
    messages.push(turn.role, turn.content);
  }
  return messages;
}

/** Whether roles are user, assistant, user, assistant … to the end, after a system turn if there is one. */
function alternates(turns: Json[]): boolean {
  let count = 0;
  let isFirst = true;
  for (const turn of turns) {
    if (!isObject(turn)) continue;
    const role = has(turn, "role") ? turn.role : null;
    if (!(isFirst && role === "system")) {
      if (role !== (count % 2 ? "assistant" : "user")) return false;
      count++;
    }
    isFirst = false;
  }
  return count > 0 && count % 2 === 0;
}

/** C08 to C11, by the roles that were meant. */
function checkOrder(indices: number[], roles: (string | null)[], place: Place, log: FindingLog): void {
  let before: string | null = null;
  let hasBegun = false;
  for (let number = 0; number < roles.length; number++) {
    const role = roles[number];
    if (role === "system") {
      if (number) {
        log.add("C11", place, ["turns", indices[number], "role"], "A system turn that is not the first one");
      }
    } else {
      if (role === "assistant" && !hasBegun) {
        log.add("C10", place, ["turns", indices[number], "role"], "The conversation starts with the assistant");
      }
      hasBegun = true;
      if (role !== null && role === before) {
        log.add("C09", place, ["turns", indices[number], "role"], `${role} twice in a row`);
      }
    }
    before = role;
  }
  const last = roles.at(-1);
  if ((last === "user" || last === "system") && roles.includes("assistant")) {
    log.add("C08", place, ["turns", indices.at(-1)!], `The conversation ends with a ${last} turn`);
  }
}

/** C03 and C04. Returns the role if it is a known one, and the role that was probably meant. */
function checkRole(turn: JsonObject, place: Place, log: FindingLog, index: number): [string | null, string | null] {
  const role = turn.role;
  if (role === "user" || role === "assistant" || role === "system") return [role, role];
  const target = ["turns", index, "role"];
  if (!has(turn, "role")) {
    log.add("C03", place, target, "No role", rename(turn, "role"));
    return [null, null];
  }
  if (typeof role !== "string") {
    log.add("C04", place, target, `role is ${jsonType(role)}, not text`);
    return [null, null];
  }
  const folded = strip(role).toLowerCase();
  const meant = ROLES.includes(folded) ? folded : ROLE_WORDS.get(folded) ?? null;
  log.add("C04", place, target, `Unknown role ${shown(role)}`, meant ? `Write ${meant}` : "");
  return [null, meant];
}

/** C03, C05, C06 and the rules of texts. */
function checkContent(
  turn: JsonObject,
  place: Place,
  log: FindingLog,
  index: number,
  role: string | null,
  meantRole: string | null,
  facts: ConversationFacts,
): void {
  const target = () => ["turns", index, "content"];
  const content = turn.content;
  if (typeof content !== "string") {
    if (!has(turn, "content")) log.add("C03", place, target(), "No content", rename(turn, "content"));
    else log.add("C05", place, target(), `content is ${jsonType(content)}, not text`);
    return;
  }
  const { words, characters, isBlank } = checkText(content, place, target, facts, log);
  if (isBlank) {
    if (meantRole === "assistant") log.add("C06", place, target(), "The assistant's content is blank");
    else if (meantRole === "user") log.add("C06", place, target(), "The user's content is blank", "", "warning");
  }
  facts.words += words;
  facts.characters += characters;
  if (role !== null) facts.texts.push([role as Role, characters]);
}
