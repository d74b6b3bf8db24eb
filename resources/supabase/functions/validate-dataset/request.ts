// The HTTP side: who asks for what, and the answers. Starts the work and does not wait for it.
import { Background } from "./background.ts";
import { Database, DatabaseError } from "./database.ts";
import { type Outcome, runOnce } from "./run.ts";
import type { Settings } from "./settings.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const SWEPT_AT_ONCE = 20;
const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
  "Access-Control-Allow-Methods": "POST, OPTIONS",
};

/** `POST {"dataset_id": uuid}` by its owner or the service; `POST {}` by the service takes up what was left behind. */
export function handlerOf(settings: Settings): (request: Request) => Promise<Response> {
  const database = new Database(settings);
  const background = new Background(settings);
  // Runs of one process take turns, since each one holds a slice.
  let turn: Promise<unknown> = Promise.resolve();
  return async (request) => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: CORS });
    if (request.method !== "POST") return refusal(405, "Use POST");
    const authorization = request.headers.get("Authorization");
    if (authorization === null) return refusal(401, "Missing authorization header");
    let body: unknown;
    try {
      body = JSON.parse(await request.text() || "{}");
    } catch {
      return refusal(400, "The body must be JSON");
    }
    const id = body !== null && typeof body === "object" && "dataset_id" in body ? body.dataset_id : null;
    if (id !== null && (typeof id !== "string" || !UUID.test(id))) return refusal(400, "dataset_id must be a UUID");
    const isService = sameText(authorization, `Bearer ${settings.serviceKey}`);
    try {
      if (id !== null) return await validate(id, authorization);
      return isService ? await sweep() : refusal(400, "dataset_id is missing");
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.status === 401) return refusal(401, "Invalid JWT");
      console.error("validate-dataset:", error.message);
      return refusal(503, "The database did not answer");
    }
  };

  async function validate(id: string, authorization: string): Promise<Response> {
    const dataset = await database.visibleDataset(id, authorization).catch((error) => {
      // A visitor without an account may not even look.
      if (error instanceof DatabaseError && error.detail !== "" && error.status === 403) return null;
      throw error;
    });
    if (dataset === null) return refusal(404, "Dataset not found");
    if (dataset.status === "uploading") return refusal(409, "The upload of this dataset is not confirmed yet");
    if (dataset.status === "validating") {
      turn = turn.catch(() => null).then(() => goOn(id));
      background.start(turn);
    }
    return accepted({ status: dataset.status });
  }

  async function sweep(): Promise<Response> {
    const ids = await database.waiting(SWEPT_AT_ONCE);
    for (const id of ids) background.start(background.invoke(id));
    return accepted({ status: "validating", waiting: ids.length });
  }

  /** One piece of work, and the call for the next one, which is not waited for. */
  async function goOn(id: string): Promise<void> {
    const started = performance.now();
    const outcome: Outcome = await runOnce(id, database, settings);
    console.log(JSON.stringify({ dataset_id: id, outcome, ms: Math.round(performance.now() - started) }));
    if (outcome === "more") background.start(background.invoke(id));
  }
}

/** Compare without telling by the time how much is equal. */
function sameText(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let at = 0; at < right.length; at++) difference |= (left.charCodeAt(at) || 0) ^ right.charCodeAt(at);
  return difference === 0;
}

function accepted(data: Record<string, unknown>): Response {
  return Response.json({ success: true, data }, { status: 202, headers: CORS });
}

function refusal(status: number, error: string): Response {
  return Response.json({ error, details: null }, { status, headers: CORS });
}
