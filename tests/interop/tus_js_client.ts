// Drives a workspace server with tus-js-client: whole uploads, pause and abort, resuming from a stored address,
// a wrong offset, a wrong token, on both routes. Reads {url, token, bucket, uploads, folder} as JSON from stdin, where
// `uploads` names for each case the object's key and its upload token, and prints what it observed as one JSON line.
import * as tus from "npm:tus-js-client@4";
import { Buffer } from "node:buffer";

type Place = { key: string; token: string };
const { url, token, bucket, uploads, folder } = JSON.parse(await new Response(Deno.stdin.readable).text());
const MIB = 1024 * 1024;
const base = `${url}/storage/v1/upload/resumable`;
const bytes = new Uint8Array(20 * MIB + 12345);
// Seeded (xorshift), so that the bytes repeat nowhere and are the same in every run.
let state = 2463534242;
for (let at = 0; at < bytes.length; at++) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  bytes[at] = state & 255;
}

async function sha256(content: BufferSource): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", content)).toString("hex");
}

function options(place: Place, route: string, more: Record<string, unknown> = {}) {
  const headers: Record<string, string> = route === "signed"
    ? { "x-signature": place.token }
    : { authorization: `Bearer ${token}` };
  return {
    endpoint: route === "signed" ? `${base}/sign` : base,
    headers,
    chunkSize: 6 * MIB,
    retryDelays: [0, 100, 300],
    metadata: {
      bucketName: bucket,
      objectName: place.key,
      contentType: "application/x-ndjson",
      metadata: JSON.stringify({ from: "tus-js-client" }),
    },
    ...more,
  };
}

function whole(place: Place, route: string, more: Record<string, unknown> = {}): Promise<tus.Upload> {
  return new Promise((resolve, reject) => {
    const upload: tus.Upload = new tus.Upload(Buffer.from(bytes), {
      ...options(place, route, more),
      onError: reject,
      onSuccess: () => resolve(upload),
    });
    upload.start();
  });
}

async function stored(place: Place) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/storage/v1/object/${bucket}/${place.key}`, { headers });
  return answer.ok ? await sha256(await answer.arrayBuffer()) : answer.status;
}

// Pause once `from` bytes are acknowledged; `terminate` also deletes the upload.
function paused(place: Place, route: string, from: number, terminate: boolean, more: Record<string, unknown> = {}) {
  return new Promise<tus.Upload>((resolve, reject) => {
    const upload: tus.Upload = new tus.Upload(Buffer.from(bytes), {
      ...options(place, route, { chunkSize: MIB, ...more }),
      onError: reject,
      onSuccess: () => reject(new Error("it was to be paused")),
      onChunkComplete: (_size: number, accepted: number) => {
        if (accepted >= from) upload.abort(terminate).then(() => resolve(upload), reject);
      },
    });
    upload.start();
  });
}

async function offsetOf(upload: tus.Upload, place: Place, route: string): Promise<number | null> {
  const { headers } = options(place, route);
  const answer = await fetch(upload.url!, { method: "HEAD", headers: { "tus-resumable": "1.0.0", ...headers } });
  return answer.ok ? Number(answer.headers.get("upload-offset")) : answer.status;
}

const seen: Record<string, unknown> = { sha256: await sha256(bytes), size: bytes.length };

for (const route of ["jwt", "signed"]) {
  // One go, in parts of 6 MiB; and in a single part sent with the creation.
  await whole(uploads[`${route} whole`], route);
  await whole(uploads[`${route} at once`], route, { chunkSize: Infinity, uploadDataDuringCreation: true });
  await whole(uploads[`${route} open length`], route, { uploadLengthDeferred: true });

  // Pause (the connection is dropped in the middle of a part) and go on with the same object.
  const pause = uploads[`${route} pause`];
  const held = await paused(pause, route, 5 * MIB, false);
  const at = await offsetOf(held, pause, route);
  await whole(pause, route, { uploadUrl: held.url });
  seen[`${route} paused at`] = at;

  // Resume in a new process's way: from the address a store on disk remembers.
  const stop = uploads[`${route} stored`];
  const urlStorage = new (tus as unknown as { FileUrlStorage: new (path: string) => unknown }).FileUrlStorage(
    `${folder}/urls-${route}.json`,
  );
  const known = { urlStorage, fingerprint: () => Promise.resolve(`file-${route}`) };
  const first = await paused(stop, route, 3 * MIB, false, known);
  const found = await new tus.Upload(Buffer.from(bytes), options(stop, route, known)).findPreviousUploads();
  seen[`${route} found`] = [found.length, found[0].uploadUrl === first.url];
  await new Promise<void>((resolve, reject) => {
    let lowest = Infinity;
    const upload = new tus.Upload(Buffer.from(bytes), {
      ...options(stop, route, known),
      onError: reject,
      onProgress: (sent: number) => lowest = Math.min(lowest, sent),
      onSuccess: () => {
        seen[`${route} went on from`] = lowest >= 3 * MIB;
        resolve();
      },
    });
    upload.resumeFromPreviousUpload(found[0]);
    upload.start();
  });

  // Abort deletes what is on the server.
  const gone = uploads[`${route} abort`];
  const aborted = await paused(gone, route, 2 * MIB, true);
  seen[`${route} aborted`] = [await offsetOf(aborted, gone, route), await stored(gone)];

  // A part sent for the wrong offset is refused; the client asks where to go on and ends with the right bytes.
  const wrong = uploads[`${route} wrong offset`];
  let lied = 0;
  const liar = {
    createRequest: (method: string, where: string) => {
      const request = new tus.DefaultHttpStack({}).createRequest(method, where);
      const setHeader = request.setHeader.bind(request);
      request.setHeader = (name: string, value: string) => {
        const lies = name.toLowerCase() === "upload-offset" && Number(value) === 6 * MIB && lied === 0;
        if (lies) lied++;
        setHeader(name, lies ? "7" : value);
      };
      return request;
    },
    getName: () => "liar",
  };
  const conflicts: unknown[] = [];
  await whole(wrong, route, {
    httpStack: liar,
    onShouldRetry: (error: tus.DetailedError) => {
      conflicts.push([error.originalResponse?.getStatus(), error.originalResponse?.getBody()]);
      return true;
    },
  });
  seen[`${route} conflicts`] = conflicts;

  // A wrong token is refused at once, and changes nothing for the right one.
  const token_case = uploads[`${route} wrong token`];
  const before = await paused(token_case, route, 2 * MIB, false);
  const headers = route === "signed" ? { "x-signature": "wrong" } : { authorization: "Bearer wrong" };
  const refusals: unknown[] = [];
  for (const more of [{ headers }, { headers, uploadUrl: before.url }]) {
    refusals.push(
      await whole(token_case, route, { retryDelays: null, ...more }).then(
        () => "accepted",
        (error: tus.DetailedError) => error.originalResponse?.getStatus(),
      ),
    );
  }
  seen[`${route} refused`] = refusals;
  await whole(token_case, route, { uploadUrl: before.url });
}

// Three at once.
await Promise.all(["parallel 1", "parallel 2", "parallel 3"].map((name) => whole(uploads[name], "jwt")));

const objects: Record<string, unknown> = {};
for (const [name, place] of Object.entries(uploads)) objects[name] = await stored(place as Place);
seen.objects = objects;
console.log(JSON.stringify(seen));
Deno.exit(0);
