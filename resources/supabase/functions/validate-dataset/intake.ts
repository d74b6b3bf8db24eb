// Takes the rows of a file one after the other, whatever layout they have, and keeps what spans rows.
// Owns the layout found so far; records, runs and declared totals have modules of their own. No bytes here.
import { type DeclaredState, DeclaredTotals } from "./declared.ts";
import {
  FOREIGN_NAMES,
  formatOfMetadata,
  has,
  isObject,
  type JsonObject,
  nearKeysOfAnyLayout,
  rowKind,
} from "./formats.ts";
import { KeyKinds, type KeyKindsState } from "./keykinds.ts";
import type { FindingLog, Place } from "./report.ts";
import { PartOf } from "./rows.ts";
import { checkConversation, checkConversationId } from "./rules/conversation.ts";
import { checkPair } from "./rules/pair.ts";
import { jsonType, type RowFacts } from "./rules/row.ts";
import { reportFalling, Runs, type RunsState } from "./runs.ts";
import { Sample, type SampleState } from "./sample.ts";
import { OF_CONVERSATION, OF_GROUPED_PAIR, OF_PAIR, Seen } from "./seen.ts";
import { type Statistics, tokensOf } from "./statistics.ts";
import type { Json } from "./text/parser.ts";
import { shown } from "./text/words.ts";

const KIND_WORDS: Record<string, string> = {
  conversation: "conversations",
  pair: "training pairs",
  pair_group: "grouped training pairs",
};

export interface IntakeState {
  kind: string | null;
  format: string | null;
  otherKinds: string[];
  rows: number;
  runs: RunsState;
  declared: DeclaredState;
  sample: SampleState;
  keyKinds: KeyKindsState;
}

/** What trainers take by default: TRL cuts what is longer, Axolotl drops it. */
const TRL_TOKENS = 1024;
const AXOLOTL_TOKENS = 2048;

export class Intake {
  kind: string | null = null;
  format: string | null = null;
  readonly sample = new Sample();
  readonly seen: Seen;
  readonly declared = new DeclaredTotals();
  readonly runs: Runs;
  readonly keyKinds = new KeyKinds();
  private otherKinds = new Set<string>();
  private rows = 0;

  constructor(
    private readonly log: FindingLog,
    readonly statistics: Statistics,
    private readonly declaredFormat: string | null,
    private readonly inDocument: boolean,
    seed: number,
  ) {
    this.seen = new Seen(seed);
    this.runs = new Runs(this.seen, log);
  }

  state(): IntakeState {
    return {
      kind: this.kind,
      format: this.format,
      otherKinds: [...this.otherKinds],
      rows: this.rows,
      runs: this.runs.state(),
      declared: this.declared.state,
      sample: this.sample.state(),
      keyKinds: this.keyKinds.state(),
    };
  }

  restore(state: IntakeState): void {
    this.kind = state.kind;
    this.format = state.format;
    this.otherKinds = new Set(state.otherKinds);
    this.rows = state.rows;
    this.runs.restore(state.runs);
    this.declared.state = state.declared;
    this.sample.restore(state.sample);
    this.keyKinds.restore(state.keyKinds);
  }

  /** Take one row. `ordinal` is its line, or its index in the list of a document. */
  take(value: Json, place: Place, ordinal: number): void {
    const log = this.log;
    this.rows++;
    if (!isObject(value)) {
      const message = `The row is ${jsonType(value)}, not an object`;
      log.add("R02", place, [], message, "Write one object in { } for each row");
      return;
    }
    const kind = rowKind(value, this.kind);
    if (kind === "metadata") {
      if (this.rows > 1) {
        const message = "The metadata line is not the first";
        log.add("M03", place, ["_meta"], message, "Move it to the first line");
      }
      this.takeMetadata(value._meta, "_meta", place);
      return;
    }
    if (kind === "unknown") {
      this.reportUnknown(value, place);
      return;
    }
    if (this.kind === null) {
      this.kind = kind;
      const name = FOREIGN_NAMES[kind];
      if (name) {
        const suggestion = "Convert the file to conversation lines first";
        log.add("R03", place, [], `${name} is not a layout Lorry uploads`, suggestion);
      }
    } else if (kind !== this.kind && !this.otherKinds.has(kind)) {
      this.otherKinds.add(kind);
      const message = `The rows before are ${kindWords(this.kind)}, this one is ${kindWords(kind)}`;
      log.add("F14", place, [], message, "Keep one layout in a file");
    }
    if (kind === "conversation" || kind === "pair") this.keyKinds.see(value, place, log);
    if (kind === "conversation") this.takeConversation(value, place, ordinal);
    else if (kind === "pair") this.takePair(value, place, ordinal);
    else if (kind === "pair_group") this.takeGroup(value, place, ordinal);
  }

  /** Take the metadata object that stood under the key `container`; it tells format and declared totals. */
  takeMetadata(metadata: Json, container: string, place: Place): void {
    if (!isObject(metadata)) return;
    this.declared.take(metadata, container, place);
    const found = formatOfMetadata(metadata, container);
    if (found === null || this.format !== null) return;
    this.format = found;
    if (this.declaredFormat !== null && this.declaredFormat !== found) {
      const path = [container, has(metadata, "format_spec") ? "format_spec" : "version"];
      const message = `The file says ${found}, the chosen format is ${this.declaredFormat}`;
      this.log.add("M02", place, path, message, `Choose ${found}`);
    }
  }

  private reportUnknown(value: JsonObject, place: Place): void {
    this.log.add("R03", place, [], "Neither a conversation nor a training pair", suggestKeys(value));
  }

  private count(facts: RowFacts): void {
    const statistics = this.statistics;
    statistics.turns += facts.turns;
    statistics.words += facts.words;
    statistics.characters += facts.characters;
    statistics.trainingPairs += facts.trainingPairs;
    for (const [role, characters] of facts.texts) statistics.addText(role, characters);
    for (const [kind, number] of facts.personalData) statistics.personalData[kind] += number;
  }

  private takeConversation(value: JsonObject, place: Place, ordinal: number): void {
    const { statistics, log } = this;
    const errorsBefore = log.levels.error;
    const facts = checkConversation(value, place, log);
    this.count(facts);
    statistics.addConversation(facts.turns, facts.words);
    if (facts.identity !== null) this.seen.addId("conversations", facts.identity, ordinal);
    const { messages } = facts;
    if (messages !== null && messages.length) {
      const isAnswered = messages.length >= 4 && messages[messages.length - 2] === "assistant";
      const answer = isAnswered ? messages.pop()! : null;
      this.seen.addAnswer(messages, answer, ordinal, facts.turns - 1, OF_CONVERSATION);
    }
    if (log.levels.error === errorsBefore && facts.turns) this.foretell(facts.alternates, tokensOf(facts.words));
    const metadata = own(value, "conversation_metadata"), other = own(value, "metadata");
    statistics.labels.takeNames([metadata, other, own(value, "input_parameters")]);
    if (!statistics.labels.takeScore(metadata)) statistics.labels.takeScore(other);
    if (!this.sample.isFull && Array.isArray(value.turns)) this.sample.addConversation(facts.identity, value.turns);
  }

  /** T01 to T04: what trainers would do with a conversation that has no error. */
  private foretell(alternates: boolean, tokens: number): void {
    const { trainers } = this.statistics;
    if (!alternates) {
      trainers.llama_factory++;
      trainers.mistral++;
    }
    if (tokens > TRL_TOKENS) trainers.trl++;
    if (tokens > AXOLOTL_TOKENS) trainers.axolotl++;
  }

  private takePair(value: JsonObject, place: Place, ordinal: number): void {
    const facts = checkPair(value, place, this.log, this.inDocument);
    this.count(facts);
    if (facts.identity !== null) this.seen.addId("pairs", facts.identity, ordinal);
    // Pairs without a usable id still belong to some conversation: to one that has no id.
    const conversationId = facts.conversationId ?? "";
    this.runs.take(conversationId, ordinal, facts, place);
    if (facts.answer !== null) this.seen.addAnswer(facts.history, facts.answer, ordinal, 0, OF_PAIR);
    this.statistics.labels.takeNames([own(value, "conversation_metadata")]);
    this.statistics.labels.takeScore(own(value, "training_metadata"));
    if (!this.sample.isFull) this.sample.addPair(conversationId, conversationId, value);
  }

  /** Take a conversation of a v4 document: ids of pairs and turn numbers count within it alone. */
  private takeGroup(value: JsonObject, place: Place, ordinal: number): void {
    const listed = has(value, "training_pairs") ? value.training_pairs : null;
    const identity = this.groupIdentity(value, listed, place);
    if (!Array.isArray(listed) || !listed.length) {
      const message = Array.isArray(listed) ? "training_pairs is empty" : "training_pairs is not a list";
      this.log.add("C01", place, ["training_pairs"], message, "Remove the conversation or add its pairs");
    }
    const pairs = Array.isArray(listed) ? listed : [];
    let turns = 0, words = 0;
    const seen = new Set<string>();
    let lastTurn: number | bigint | null = null;
    for (let index = 0; index < pairs.length; index++) {
      const pair = pairs[index];
      const inner = new PartOf(place, ["training_pairs", index]);
      if (!isObject(pair)) {
        this.log.add("R02", inner, [], `The pair is ${jsonType(pair)}, not an object`);
        continue;
      }
      const facts = checkPair(pair, inner, this.log, true);
      this.count(facts);
      turns += facts.turns;
      words += facts.words;
      if (facts.answer !== null) {
        this.seen.addAnswer(facts.history, facts.answer, ordinal, index, OF_GROUPED_PAIR);
      }
      this.statistics.labels.takeScore(own(pair, "training_metadata"));
      if (facts.identity !== null) {
        if (seen.has(facts.identity)) {
          this.log.add("P06", inner, ["id"], "The id is used twice in this conversation");
        }
        seen.add(facts.identity);
      }
      if (facts.turnNumber !== null) {
        if (lastTurn !== null && facts.turnNumber <= lastTurn) {
          reportFalling(this.log, inner, facts.turnNumber, lastTurn);
        }
        lastTurn = facts.turnNumber;
      }
      if (!this.sample.isFull) this.sample.addPair(`${ordinal} ${identity}`, null, pair);
    }
    this.statistics.addConversation(turns, words);
    if (identity !== null) this.seen.addId("conversations", identity, ordinal);
    const metadata = own(value, "conversation_metadata");
    const first = isObject(pairs[0]) ? own(pairs[0], "conversation_metadata") : null;
    const scaffolding = isObject(metadata) ? own(metadata, "scaffolding") : null;
    this.statistics.labels.takeNames([scaffolding, metadata, first]);
  }

  /** The conversation's id; without `conversation_metadata` the first pair's one serves. */
  private groupIdentity(value: JsonObject, pairs: Json, place: Place): string | null {
    const metadata = has(value, "conversation_metadata") ? value.conversation_metadata : null;
    if (metadata === null && Array.isArray(pairs) && isObject(pairs[0])) {
      const identity = pairs[0].conversation_id;
      if (typeof identity === "string" && identity.trim()) return identity;
    }
    return checkConversationId(isObject(metadata) ? metadata : {}, place, this.log, ["conversation_metadata"]);
  }
}

function own(row: JsonObject, key: string): Json {
  return has(row, key) ? row[key] : null;
}

function suggestKeys(value: JsonObject): string {
  const near = nearKeysOfAnyLayout(value);
  if (!near.length) return "A row needs conversation_id and turns, or the keys of a training pair";
  return near.map(([found, wanted]) => `Rename ${shown(found)} to ${wanted}`).join("; ");
}

function kindWords(kind: string): string {
  return KIND_WORDS[kind] ?? FOREIGN_NAMES[kind];
}
