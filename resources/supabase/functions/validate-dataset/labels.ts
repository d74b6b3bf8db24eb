// What the metadata of rows says about them: persona, emotional arc, topic and quality score, counted.
// Names are bounded in length and number. Pure.
import { has, isObject, type JsonObject } from "./formats.ts";
import { roundedRatio } from "./histograms.ts";
import { writable } from "./sample.ts";
import { Fraction, type Json } from "./text/parser.ts";
import { compareText, firstCharacters, isBlank } from "./text/words.ts";

/** Of every distribution, the keys that may hold the name; the first one with a text that is not blank decides. */
const LABEL_KEYS = {
  personas: ["persona_key", "persona_archetype", "client_persona", "persona_name", "persona"],
  emotional_arcs: ["emotional_arc_key", "emotional_arc"],
  topics: ["training_topic_key", "training_topic", "topic_key", "topic"],
};
type Kind = keyof typeof LABEL_KEYS;
const KINDS = Object.keys(LABEL_KEYS) as Kind[];
const MAX_NAME_CHARACTERS = 100;
const MAX_NAMES = 1000;
const SHOWN_NAMES = 50;
const MAX_SCORE = 100;

export interface LabelsState {
  names: Record<Kind, [string, number][]>;
  others: Record<Kind, number>;
  scores: [number, number][];
}

export class Labels {
  private names: Record<Kind, Map<string, number>> = {
    personas: new Map(),
    emotional_arcs: new Map(),
    topics: new Map(),
  };
  private others: Record<Kind, number> = { personas: 0, emotional_arcs: 0, topics: 0 };
  /** Hundredths, so that sums do not depend on their order. */
  private scores = new Map<number, number>();

  /** Count the names of one row, found in the first of its objects that has them. */
  takeNames(sources: (Json | undefined)[]): void {
    const objects = sources.filter((source) => isObject(source));
    if (!objects.length) return;
    for (const kind of KINDS) {
      const name = firstName(objects, LABEL_KEYS[kind]);
      if (!name) continue;
      const names = this.names[kind];
      const before = names.get(name);
      if (before !== undefined || names.size < MAX_NAMES) names.set(name, (before ?? 0) + 1);
      else this.others[kind]++;
    }
  }

  /** Count the `quality_score` of a metadata object; returns whether it had one. */
  takeScore(source: Json | undefined): boolean {
    if (!isObject(source) || !has(source, "quality_score")) return false;
    const given = source.quality_score;
    const score = given instanceof Fraction ? given.value : given;
    if (typeof score !== "number" || !(score >= 0 && score <= MAX_SCORE)) return false;
    const hundredths = Math.floor(score * 100 + 0.5);
    this.scores.set(hundredths, (this.scores.get(hundredths) ?? 0) + 1);
    return true;
  }

  figures(): Record<string, unknown> {
    return { ...Object.fromEntries(KINDS.map((kind) => [kind, this.distribution(kind)])), quality: this.quality() };
  }

  state(): LabelsState {
    const names = Object.fromEntries(KINDS.map((kind) => [kind, [...this.names[kind]]])) as LabelsState["names"];
    return { names, others: this.others, scores: [...this.scores] };
  }

  restore(state: LabelsState): void {
    for (const kind of KINDS) this.names[kind] = new Map(state.names[kind]);
    this.others = state.others;
    this.scores = new Map(state.scores);
  }

  private distribution(kind: Kind): unknown {
    const ordered = [...this.names[kind]].sort((a, b) => b[1] - a[1] || compareText(a[0], b[0]));
    const rest = ordered.slice(SHOWN_NAMES).reduce((sum, [, count]) => sum + count, 0);
    const values = ordered.slice(0, SHOWN_NAMES).map(([name, count]) => ({ name, count }));
    return { values, other: rest + this.others[kind] };
  }

  private quality(): unknown {
    if (!this.scores.size) return null;
    let rows = 0, sum = 0;
    const floors = new Map<number, number>();
    const scores = [...this.scores].sort((a, b) => a[0] - b[0]);
    for (const [hundredths, number] of scores) {
      rows += number;
      sum += hundredths * number;
      const floor = Math.floor(hundredths / 100);
      floors.set(floor, (floors.get(floor) ?? 0) + number);
    }
    return {
      rows,
      mean: roundedRatio(sum, 100 * rows),
      min: scores[0][0] / 100,
      max: scores.at(-1)![0] / 100,
      scores: [...floors].map(([score, count]) => ({ score, count })),
    };
  }
}

function firstName(objects: JsonObject[], keys: string[]): string {
  for (const source of objects) {
    for (const key of keys) {
      const value = source[key];
      if (typeof value === "string" && has(source, key) && !isBlank(value)) {
        return writable(firstCharacters(value, MAX_NAME_CHARACTERS), false);
      }
    }
  }
  return "";
}
