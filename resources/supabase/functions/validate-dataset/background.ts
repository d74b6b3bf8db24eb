// Work that goes on after the answer, and the call by which the function hands the next piece to a new invocation.
import type { Settings } from "./settings.ts";

/** What the Supabase Edge Runtime adds to Deno. */
interface EdgeRuntime {
  waitUntil(work: Promise<unknown>): void;
}

const CALLS = 5;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;

export class Background {
  constructor(private readonly settings: Settings) {}

  /** Let work go on after the answer. If it fails, its lease ends and a client or the sweep asks again. */
  start(work: Promise<unknown>): void {
    const watched = work.catch((error) => {
      console.error("validate-dataset:", error instanceof Error ? error.message : error);
    });
    (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime?.waitUntil(watched);
  }

  /** Ask for the next piece of work on a dataset; tries again when the platform is busy. */
  async invoke(id: string): Promise<void> {
    const { functionUrl, serviceKey } = this.settings;
    let problem: unknown;
    for (let call = 0; call < CALLS; call++) {
      let delayMs = FIRST_DELAY_MS * 2 ** call;
      try {
        const response = await fetch(functionUrl, {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            Authorization: `Bearer ${serviceKey}`,
            apikey: serviceKey,
          },
          body: JSON.stringify({ dataset_id: id }),
        });
        await response.body?.cancel();
        if (response.ok) return;
        problem = new Error(`the function answered ${response.status}`);
        delayMs = Number(response.headers.get("Retry-After")) * 1000 || delayMs;
        if (response.status < 500 && response.status !== 429) break;
      } catch (error) {
        // The runtime refuses chains of calls that are too quick with such an error.
        problem = error;
        delayMs = Number((error as { retryAfterMs?: number }).retryAfterMs) || delayMs;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(delayMs, MAX_DELAY_MS)));
    }
    throw problem;
  }
}
