// The layouts a dataset file can have: their names and keys, and how a row is recognised. Pure.
import { closest } from "./text/similar.ts";
import type { Json } from "./text/parser.ts";

export type JsonObject = { [key: string]: Json };

export const FORMAT_V4 = "brightrun_lora_v4";
export const FORMAT_V3 = "brightrun_lora_v3";

/** Layouts that other tools use, with the name people know them by. */
export const FOREIGN_NAMES: Record<string, string> = {
  openai_messages: "OpenAI chat",
  sharegpt: "ShareGPT",
  alpaca: "Alpaca",
  prompt_completion: "prompt and completion",
  preference: "preference pairs (DPO or KTO)",
  text: "plain text rows",
};

export const ROLES = ["user", "assistant", "system"];
/** Words other tools use for the same roles. */
export const ROLE_WORDS = new Map([
  ["human", "user"],
  ["customer", "user"],
  ["client", "user"],
  ["prompter", "user"],
  ["gpt", "assistant"],
  ["bot", "assistant"],
  ["model", "assistant"],
  ["chatgpt", "assistant"],
  ["ai", "assistant"],
  ["agent", "assistant"],
  ["coach", "assistant"],
  ["developer", "system"],
]);

export const PAIR_KEYS = ["id", "conversation_id", "turn_number", "current_user_input", "target_response"];
export const PAIR_TEXT_KEYS = ["current_user_input", "target_response"];
const KNOWN_KEYS = new Set([...PAIR_KEYS, "turns"]);

/** Keys that stand for a known one in files made elsewhere. */
const RENAMED: Record<string, string[]> = {
  role: ["from", "speaker", "author", "sender", "type"],
  content: ["value", "text", "message", "body", "utterance"],
  turns: ["dialogue", "dialog", "exchanges", "history"],
  conversation_id: ["conv_id", "conversationId", "dialog_id", "chat_id", "session_id"],
  turn_number: ["turn", "turn_index", "turn_no"],
  current_user_input: ["user_input", "input", "question", "user"],
  target_response: ["response", "answer", "output", "assistant"],
  id: ["pair_id", "uuid", "uid"],
};

export function has(row: JsonObject, key: string): boolean {
  return Object.hasOwn(row, key);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    (Object.getPrototypeOf(value) === null || Object.getPrototypeOf(value) === Object.prototype);
}

/** A whole number written as one; 2.0 is none. */
export function isWhole(value: Json | undefined): value is number | bigint {
  return (typeof value === "number" && Number.isInteger(value)) || typeof value === "bigint";
}

/**
 * Which layout a row belongs to. `established` is the kind the rows before it had: with its help a row that lacks an
 * important key is still taken for what it was meant to be, so that the finding names the missing key.
 */
export function rowKind(row: JsonObject, established: string | null): string {
  if (has(row, "turns")) return "conversation";
  if (has(row, "training_pairs")) return "pair_group";
  if (PAIR_TEXT_KEYS.some((key) => has(row, key))) return "pair";
  if (has(row, "_meta")) return "metadata";
  const foreign = foreignKind(row);
  if (foreign) return foreign;
  if (established === "conversation" && has(row, "conversation_id")) return "conversation";
  if (established === "pair" && PAIR_KEYS.some((key) => has(row, key))) return "pair";
  if (has(row, "conversation_id")) {
    if (has(row, "turn_number") || PAIR_TEXT_KEYS.some((key) => nearKey(row, key))) return "pair";
    if (nearKey(row, "turns") !== null) return "conversation";
  }
  return "unknown";
}

function foreignKind(row: JsonObject): string | null {
  if (has(row, "messages") && Array.isArray(row.messages)) return "openai_messages";
  if (has(row, "conversations") && Array.isArray(row.conversations)) return "sharegpt";
  if (has(row, "chosen") && has(row, "rejected")) return "preference";
  if (has(row, "prompt") && has(row, "completion")) return has(row, "label") ? "preference" : "prompt_completion";
  if (has(row, "instruction") && (has(row, "output") || has(row, "response"))) return "alpaca";
  if (has(row, "text") && typeof row.text === "string" && !has(row, "conversation_id")) return "text";
  return null;
}

function isShort(key: string): boolean {
  return key.length <= 64 || [...key].length <= 64;
}

/** The key of `row` that was probably meant to be `wanted`: a misspelling or a known other name. */
export function nearKey(row: JsonObject, wanted: string): string | null {
  const keys = Object.keys(row).filter((key) => !KNOWN_KEYS.has(key) && isShort(key));
  const folded = new Map<string, string>();
  for (const key of keys) folded.set(key.toLowerCase().replaceAll("-", "_").replaceAll(" ", "_"), key);
  const exact = folded.get(wanted);
  if (exact !== undefined) return exact;
  const close = closest(wanted, folded.keys(), 0.8);
  if (close !== null) return folded.get(close)!;
  for (const other of RENAMED[wanted] ?? []) {
    if (keys.includes(other)) return other;
  }
  return null;
}

/** [key found, key meant] for every important key that a row nearly has. */
export function nearKeysOfAnyLayout(row: JsonObject): [string, string][] {
  const keys = Object.keys(row);
  const pairs: [string, string][] = [];
  for (const wanted of ["conversation_id", "turns", "turn_number", ...PAIR_TEXT_KEYS]) {
    if (keys.includes(wanted)) continue;
    const found = closest(wanted, keys.filter(isShort), 0.8);
    if (found !== null) pairs.push([found, wanted]);
  }
  return pairs;
}

const SPEC_VERSION = /(?:^|[^a-z0-9])v([34])(?:[^0-9]|$)/i;
const PLAIN_VERSION = /^[\s\x1c-\x1f\x85]*([34])(?:\.\p{Nd}+)*[\s\x1c-\x1f\x85]*$/u;

/**
 * The format a file names in its metadata, or null. `container` is the key the metadata stood under: a `format_spec`
 * decides, in a `_meta` line the version does too, and in a document the container itself tells.
 */
export function formatOfMetadata(metadata: JsonObject, container: string): string | null {
  for (const key of ["format_spec", "version"]) {
    const value = has(metadata, key) ? metadata[key] : null;
    if (typeof value !== "string") continue;
    let match = SPEC_VERSION.exec(value);
    if (!match && key === "version" && container === "_meta") match = PLAIN_VERSION.exec(value);
    if (match) return match[1] === "4" ? FORMAT_V4 : FORMAT_V3;
  }
  if (container === "training_file_metadata") return FORMAT_V4;
  return container === "dataset_metadata" ? FORMAT_V3 : null;
}
