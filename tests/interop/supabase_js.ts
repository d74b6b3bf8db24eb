// Drives a workspace server with supabase-js: the main road of one user, what a second user sees, and errors.
// Reads {url, anonKey} as JSON from stdin and prints what it observed as one JSON line; the Python test judges it.
import { createClient } from "npm:@supabase/supabase-js@2";

const { url, anonKey } = JSON.parse(await new Response(Deno.stdin.readable).text());
const BUCKET = "lora-datasets";
const options = { auth: { persistSession: false, autoRefreshToken: false } };

function client() {
  return createClient(url, anonKey, options);
}

function must<T>(answer: { data: T; error: unknown }, what: string): NonNullable<T> {
  if (answer.error || answer.data === null) {
    throw new Error(`${what}: ${JSON.stringify(answer.error)} ${String(answer.error)}`);
  }
  return answer.data as NonNullable<T>;
}

async function signUp(supabase: ReturnType<typeof client>) {
  const email = `${crypto.randomUUID()}@example.org`;
  const password = crypto.randomUUID();
  const { user } = must(await supabase.auth.signUp({ email, password }), "signUp");
  return { id: user!.id, email, password };
}

async function sha256(bytes: ArrayBuffer | Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function newRow(userId: string, size: number, name: string) {
  const id = crypto.randomUUID();
  return {
    id,
    name,
    storage_path: `${userId}/${id}/data.jsonl`,
    file_name: "data.jsonl",
    file_size: size,
  };
}

const lines = Array.from({ length: 4000 }, (_, index) =>
  JSON.stringify({
    conversation_id: `c${index}`,
    turns: [
      { role: "user", content: `question ${index} é` },
      { role: "assistant", content: `answer ${index}` },
    ],
  })).join("\n") + "\n";
const bytes = new TextEncoder().encode(lines);
const seen: Record<string, unknown> = { sent_sha256: await sha256(bytes), size: bytes.length };

// One user's main road. -----------------------------------------------------------------------------------
const alice = client();
const account = await signUp(alice);
seen.signed_up = account.id === (await alice.auth.getUser()).data.user?.id;

const row = newRow(account.id, bytes.length, "JS main road");
seen.insert = must(await alice.from("datasets").insert(row).select().single(), "insert").status;
const more = [newRow(account.id, 10, "Second, (set)"), newRow(account.id, 20, 'third "set"')];
seen.bulk_insert_status = (await alice.from("datasets").insert(more)).status;

const bucket = alice.storage.from(BUCKET);
const signed = must(await bucket.createSignedUploadUrl(row.storage_path), "createSignedUploadUrl");
const blob = new Blob([bytes], { type: "application/x-ndjson" });
seen.uploaded_path = must(
  await bucket.uploadToSignedUrl(row.storage_path, signed.token, blob, { contentType: "application/x-ndjson" }),
  "uploadToSignedUrl",
).path;

const raw = must(await bucket.createSignedUploadUrl(more[0].storage_path), "createSignedUploadUrl");
must(
  await bucket.uploadToSignedUrl(more[0].storage_path, raw.token, new TextEncoder().encode("0123456789").buffer, {
    contentType: "application/jsonl",
  }),
  "uploadToSignedUrl of an ArrayBuffer",
);

seen.confirmed = must(await alice.rpc("confirm_dataset_upload", { p_id: row.id }), "rpc").status;
seen.invoked = must(
  await alice.functions.invoke("validate-dataset", { body: { dataset_id: row.id } }),
  "invoke",
);
for (let attempt = 0; attempt < 400; attempt++) {
  const found = must(
    await alice.from("datasets").select("status,total_training_pairs").eq("id", row.id).single(),
    "poll",
  );
  seen.verdict = found;
  if (found.status !== "validating") break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}

// Lists. --------------------------------------------------------------------------------------------------
const page = await alice.from("datasets").select("name,file_size", { count: "exact" })
  .order("file_size", { ascending: true }).range(0, 1);
seen.page = { count: page.count, names: page.data?.map((entry) => entry.name), status: page.status };
const counted = await alice.from("datasets").select("*", { count: "exact", head: true }).neq("status", "error");
seen.counted = counted.count;
const names = async (query: PromiseLike<{ data: { name: string }[] | null }>) =>
  (await query).data?.map((entry) => entry.name).sort();
const select = () => alice.from("datasets").select("name");
seen.filters = {
  ilike: await names(select().ilike("name", "%js%")),
  in: await names(select().in("name", ["Second, (set)", 'third "set"'])),
  or: await names(select().or("file_size.eq.10,and(file_size.eq.20,status.eq.uploading)")),
  is: await names(select().is("validated_at", null)),
  not: await names(select().not("file_size", "in", "(10,20)")),
  match: await names(select().match({ status: "uploading", file_size: 20 })),
  gte_lt: await names(select().gte("file_size", 10).lt("file_size", 20)),
};
const search = await alice.rpc("search_datasets", { p_search: "SET" }, { count: "exact" })
  .select("name").order("name").limit(1);
seen.search = { count: search.count, data: search.data };
seen.maybe = await alice.from("datasets").select("id").eq("file_size", 1).maybeSingle()
  .then((answer) => [answer.data, answer.error]);
seen.renamed = must(
  await alice.from("datasets").update({ name: "Renamed" }).eq("id", more[1].id).select("name"),
  "update",
);

// Reading back. -------------------------------------------------------------------------------------------
const download = must(await bucket.download(row.storage_path), "download");
seen.downloaded_sha256 = await sha256(await download.arrayBuffer());
const signedUrl = must(await bucket.createSignedUrl(row.storage_path, 60), "createSignedUrl").signedUrl;
const part = await fetch(signedUrl, { headers: { Range: "bytes=0-9" } });
seen.range = [part.status, part.headers.get("content-range"), await part.text()];
seen.info_size = must(await bucket.info(row.storage_path), "info").size;
seen.exists = (await bucket.exists(row.storage_path)).data;
seen.folder = must(await bucket.list(`${account.id}/${row.id}`), "list").map((entry) => entry.name);

// A second user. ------------------------------------------------------------------------------------------
const bob = client();
await signUp(bob);
const theirs = bob.storage.from(BUCKET);
seen.second_user = {
  rows: (await bob.from("datasets").select("id", { count: "exact" })).count,
  updated: (await bob.from("datasets").update({ name: "mine" }).eq("id", row.id).select()).data,
  download: (await theirs.download(row.storage_path)).error !== null,
  signed: (await theirs.createSignedUrl(row.storage_path, 60)).error?.message,
  list: (await theirs.list(account.id)).data,
  removed: (await theirs.remove([row.storage_path])).data,
  sign_upload: (await theirs.createSignedUploadUrl(more[1].storage_path)).error?.message,
  rpc: (({ status, error }) => [status, error?.message])(await bob.rpc("confirm_dataset_upload", { p_id: row.id })),
  function_status: await bob.functions.invoke("validate-dataset", { body: { dataset_id: row.id } })
    .then((answer) => answer.error?.context?.status),
};

// Errors and the end of the session. ----------------------------------------------------------------------
const failure = (answer: { status?: number; error: { code?: string } | null }) => [answer.status, answer.error?.code];
seen.errors = {
  no_table: failure(await alice.from("nothing").select()),
  no_column: failure(await alice.from("datasets").select("nothing")),
  embedding: failure(await alice.from("datasets").select("*,notifications(*)")),
  twice: failure(await alice.from("datasets").insert(row)),
  forbidden: failure(await alice.from("datasets").update({ status: "ready" }).eq("id", row.id)),
  exists: (await bucket.createSignedUploadUrl(row.storage_path)).error?.message,
  wrong_password: (await client().auth.signInWithPassword({ email: account.email, password: "wrong one" })).error?.code,
  weak_password: (await client().auth.signUp({ email: `x${account.email}`, password: "short" })).error?.code,
};
const refreshed = must(await alice.auth.refreshSession(), "refreshSession");
seen.refreshed = refreshed.user?.id === account.id;
const session = refreshed.session!;
seen.signed_out = (await alice.auth.signOut()).error;
seen.after_sign_out = (await alice.from("datasets").select("id")).error?.code;
seen.refresh_after_sign_out = (await client().auth.refreshSession(session)).error?.code;
seen.signs_in_again = must(
  await client().auth.signInWithPassword({ email: account.email, password: account.password }),
  "signInWithPassword",
).user?.id === account.id;

console.log(JSON.stringify(seen));
Deno.exit(0);
