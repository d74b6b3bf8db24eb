// Pairs of one conversation that stand together make a run; P07 within it. Runs are joined at the end.
import type { FindingLog, Place } from "./report.ts";
import type { PairFacts } from "./rules/pair.ts";
import type { Seen } from "./seen.ts";

type Whole = number | bigint;

/** `ordinal` is where the run begins. */
interface Run {
  conversationId: string;
  ordinal: number;
  firstTurn: Whole;
  lastTurn: Whole;
  turns: number;
  words: number;
}

export type RunsState = (Omit<Run, "firstTurn" | "lastTurn"> & { firstTurn: string; lastTurn: string }) | null;

export class Runs {
  private open: Run | null = null;

  constructor(private readonly seen: Seen, private readonly log: FindingLog) {}

  state(): RunsState {
    const run = this.open;
    return run && { ...run, firstTurn: String(run.firstTurn), lastTurn: String(run.lastTurn) };
  }

  restore(state: RunsState): void {
    this.open = state && { ...state, firstTurn: whole(state.firstTurn), lastTurn: whole(state.lastTurn) };
  }

  /** Add a pair to the run of its conversation, or begin the next run. */
  take(conversationId: string, ordinal: number, facts: PairFacts, place: Place): void {
    const number = facts.turnNumber;
    let run = this.open;
    if (run === null || run.conversationId !== conversationId) {
      this.close();
      const first = number ?? 0;
      run = this.open = { conversationId, ordinal, firstTurn: first, lastTurn: first, turns: 0, words: 0 };
    } else if (number !== null) {
      if (number <= run.lastTurn) reportFalling(this.log, place, number, run.lastTurn);
      run.lastTurn = number;
    }
    run.turns += facts.turns;
    run.words += facts.words;
  }

  /** Put the open run among the records. */
  close(): void {
    const run = this.open;
    if (run === null) return;
    const { conversationId, ordinal, turns, words } = run;
    this.seen.addRun(conversationId, ordinal, turns, words, clamp(run.firstTurn), clamp(run.lastTurn));
    this.open = null;
  }
}

/** P07: a turn number that is not above the one before it in its conversation. */
export function reportFalling(log: FindingLog, place: Place, number: Whole, before: Whole): void {
  const verb = number === before ? "stays at" : `goes from ${before} back to`;
  log.add("P07", place, ["turn_number"], `turn_number ${verb} ${number}`);
}

function whole(text: string): Whole {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function clamp(number: Whole): number {
  return Math.max(-0x7fffffff, Math.min(0x7fffffff, Number(number)));
}
