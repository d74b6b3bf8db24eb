// The figures of a dataset: what is counted, how tokens are estimated, and where rounding happens.
// Words of a text are its spaces + 1, tokens 1.3 for a word, rounded once for each sum, halves up.
import { Histogram, roundedRatio, SIZE_BINS, TURN_BINS } from "./histograms.ts";
import { Labels, type LabelsState } from "./labels.ts";
import type { PersonalKind } from "./rules/texts.ts";

export type Role = "user" | "assistant" | "system";
export type Trainer = "llama_factory" | "trl" | "axolotl" | "mistral";
const ROLES: Role[] = ["user", "assistant", "system"];

/** Estimated tokens of so many words. */
export function tokensOf(words: number): number {
  return Math.floor((13 * words + 5) / 10);
}

interface RoleFigures {
  texts: number;
  characters: number;
  bins: number[];
}

export interface StatisticsState {
  totals: number[];
  turnBins: number[];
  tokenBins: number[];
  roles: Record<Role, RoleFigures>;
  personalData: Record<PersonalKind, number>;
  trainers: Record<Trainer, number>;
  labels: LabelsState;
}

export class Statistics {
  lines = 0;
  conversations = 0;
  turns = 0;
  trainingPairs = 0;
  words = 0;
  characters = 0;
  personalData: Record<PersonalKind, number> = { email: 0, iban: 0, card: 0 };
  trainers: Record<Trainer, number> = { llama_factory: 0, trl: 0, axolotl: 0, mistral: 0 };
  readonly labels = new Labels();
  private readonly turnBins = new Histogram(TURN_BINS);
  private readonly tokenBins = new Histogram(SIZE_BINS);
  private readonly roles = ROLES.map(() => ({ texts: 0, characters: 0, bins: new Histogram(SIZE_BINS) }));

  /** Add one finished conversation to the distributions (not to the totals). */
  addConversation(turns: number, words: number): void {
    this.conversations++;
    this.turnBins.add(turns);
    this.tokenBins.add(tokensOf(words));
  }

  /** Add a text by its role and its length in characters. */
  addText(role: Role, characters: number): void {
    const figures = this.roles[role === "user" ? 0 : role === "assistant" ? 1 : 2];
    figures.texts++;
    figures.characters += characters;
    figures.bins.add(characters);
  }

  /** The finished figures, as the desktop names them. */
  figures(): Record<string, unknown> {
    const tokens = tokensOf(this.words);
    const byRole = ROLES.map((role, index) => [role, this.roles[index]] as const).filter(([, { texts }]) => texts);
    return {
      lines: this.lines,
      conversations: this.conversations,
      turns: this.turns,
      training_pairs: this.trainingPairs,
      words: this.words,
      tokens,
      characters: this.characters,
      avg_turns_per_conversation: roundedRatio(this.turns, this.conversations),
      avg_tokens_per_turn: roundedRatio(tokens, this.turns),
      turns_histogram: this.turnBins.bins(),
      tokens_histogram: this.tokenBins.bins(),
      roles: Object.fromEntries(
        byRole.map(([role, { texts, characters, bins }]) => [role, { texts, characters, histogram: bins.bins() }]),
      ),
      ...this.labels.figures(),
      personal_data: this.personalData,
      trainers: this.trainers,
    };
  }

  state(): StatisticsState {
    const roles = Object.fromEntries(
      ROLES.map((role, index) => {
        const { texts, characters, bins } = this.roles[index];
        return [role, { texts, characters, bins: bins.counts }];
      }),
    ) as Record<Role, RoleFigures>;
    return {
      totals: [this.lines, this.conversations, this.turns, this.trainingPairs, this.words, this.characters],
      turnBins: this.turnBins.counts,
      tokenBins: this.tokenBins.counts,
      roles,
      personalData: this.personalData,
      trainers: this.trainers,
      labels: this.labels.state(),
    };
  }

  restore(state: StatisticsState): void {
    [this.lines, this.conversations, this.turns, this.trainingPairs, this.words, this.characters] = state.totals;
    this.turnBins.counts = state.turnBins;
    this.tokenBins.counts = state.tokenBins;
    ROLES.forEach((role, index) => {
      const { texts, characters, bins } = state.roles[role];
      Object.assign(this.roles[index], { texts, characters });
      this.roles[index].bins.counts = bins;
    });
    this.personalData = state.personalData;
    this.trainers = state.trainers;
    this.labels.restore(state.labels);
  }
}
