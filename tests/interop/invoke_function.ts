// Signs in with supabase-js, invokes the function for a dataset as its owner and as a stranger, and waits for the row.
// Reads {url, anonKey, email, password, datasetId} as JSON from stdin and prints what it observed as one JSON line.
import { createClient, FunctionsHttpError } from "npm:@supabase/supabase-js@2";

const { url, anonKey, email, password, datasetId } = JSON.parse(await new Response(Deno.stdin.readable).text());
const options = { auth: { persistSession: false, autoRefreshToken: false } };
const body = { dataset_id: datasetId };

const owner = createClient(url, anonKey, options);
await owner.auth.signInWithPassword({ email, password });
const invoked = await owner.functions.invoke("validate-dataset", { body });
let status = "validating";
while (status === "validating") {
  const { data } = await owner.from("datasets").select("status").eq("id", datasetId).single();
  status = data!.status;
}
const again = await owner.functions.invoke("validate-dataset", { body });

const stranger = createClient(url, anonKey, options);
await stranger.auth.signUp({ email: `${crypto.randomUUID()}@example.org`, password: crypto.randomUUID() });
const foreign = await stranger.functions.invoke("validate-dataset", { body });
const refusal = foreign.error instanceof FunctionsHttpError ? foreign.error.context.status : null;
console.log(JSON.stringify({ invoked: invoked.data, status, again: again.data, foreign_status: refusal }));
