// The first conversations of a file, in one shape for every layout, small enough for a preview.
// Pairs are put together again; long texts and long conversations are cut, which `cut` tells.
import { isObject } from "./formats.ts";
import type { Json } from "./text/parser.ts";
import { characters, firstCharacters } from "./text/words.ts";

const MAX_CONVERSATIONS = 3;
const MAX_TURNS = 40;
const MAX_CHARACTERS = 4000;

export interface SampleConversation {
  conversation_id: string | null;
  turns: { role: string; content: string }[];
  cut: boolean;
}

export interface SampleState {
  conversations: SampleConversation[];
  openIdentity: string | null;
  isFull: boolean;
}

/** Collects the first conversations; `isFull` tells when later rows can no longer change it. */
export class Sample {
  conversations: SampleConversation[] = [];
  isFull = false;
  /** What tells the open conversation from the next one. */
  private openIdentity: string | null = null;

  /** Add a whole conversation; turns that are no objects are left out. */
  addConversation(identity: string | null, turns: Json[]): void {
    if (this.begin(null, identity)) {
      for (const turn of turns) {
        if (isObject(turn)) this.addTurn(turn.role, turn.content);
      }
    }
    this.isFull = this.conversations.length >= MAX_CONVERSATIONS;
  }

  /** Add a pair to its conversation, which begins with the first pair that has another `key`. */
  addPair(key: string, shownId: string | null, pair: { [key: string]: Json }): void {
    if (this.isFull) return;
    if (!this.conversations.length || key !== this.openIdentity) {
      if (!this.begin(key, shownId)) {
        this.isFull = true;
        return;
      }
      if (typeof pair.system_prompt === "string") this.addTurn("system", pair.system_prompt);
    }
    if (typeof pair.current_user_input === "string") this.addTurn("user", pair.current_user_input);
    if (typeof pair.target_response === "string") this.addTurn("assistant", pair.target_response);
    if (this.conversations.length === MAX_CONVERSATIONS && this.conversations.at(-1)!.cut) this.isFull = true;
  }

  state(): SampleState {
    return { conversations: this.conversations, openIdentity: this.openIdentity, isFull: this.isFull };
  }

  restore(state: SampleState): void {
    this.conversations = state.conversations;
    this.openIdentity = state.openIdentity;
    this.isFull = state.isFull;
  }

  private begin(key: string | null, shownId: string | null): boolean {
    if (this.conversations.length >= MAX_CONVERSATIONS) return false;
    this.conversations.push({
      conversation_id: shownId === null ? null : writable(shownId),
      turns: [],
      cut: false,
    });
    this.openIdentity = key;
    return true;
  }

  private addTurn(role: Json | undefined, content: Json | undefined): void {
    const conversation = this.conversations.at(-1)!;
    if (conversation.turns.length >= MAX_TURNS) {
      conversation.cut = true;
      return;
    }
    let text = typeof content === "string" ? writable(content) : "";
    if (text.length > MAX_CHARACTERS && characters(text) > MAX_CHARACTERS) {
      text = firstCharacters(text, MAX_CHARACTERS - 1) + "…";
      conversation.cut = true;
    }
    conversation.turns.push({ role: typeof role === "string" ? writable(role) : "", content: text });
  }
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Replace halves of characters, as Python's encoder does, and NUL, which no database takes. */
export function writable(text: string, withoutNul = true): string {
  const whole = text.isWellFormed() ? text : text.replace(LONE_SURROGATE, "?");
  return withoutNul && whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}
