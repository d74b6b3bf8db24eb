// Runs the real @tus/server with its file store until stdin ends, at the path and with the ids of a Storage server,
// or with {storage: false} at /files with its own ids. With {told: true} it knows the address it is asked at, else it
// gives another. Its hooks fail as told:
//   POST /control {"token": "…", "faults": [{"hook": "finish", "nth": 1, "status": 500, "body": "…", "destroy": true}]}
// `nth` counts the calls of that hook (incoming, create, finish) since the last POST; "token" is the only x-signature
// taken from then on. Reads {directory, storage, told} as one JSON line from stdin, prints {"port": n}.
import { createServer } from "node:http";
import { Buffer } from "node:buffer";
import { unlink } from "node:fs/promises";
import { Server } from "npm:@tus/server@2";
import { FileStore } from "npm:@tus/file-store@2";

type Fault = { hook: string; nth: number; status: number; body: string; destroy?: boolean };

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
const { directory, storage, told } = JSON.parse((await lines.read()).value!);
let token = "";
let faults: Fault[] = [];
let calls: Record<string, number> = {};

async function meet(hook: string, path?: string) {
  calls[hook] = (calls[hook] ?? 0) + 1;
  const fault = faults.find((each) => each.hook === hook && each.nth === calls[hook]);
  if (!fault) return;
  if (fault.destroy && path) await unlink(path);
  throw { status_code: fault.status, body: fault.body };
}

const storageIds = {
  namingFunction: (_request: unknown, metadata?: Record<string, string | null>) =>
    `${metadata?.bucketName}/${metadata?.objectName}/${crypto.randomUUID()}`,
  // As a Storage server does behind a proxy it was not told about: another origin, and https.
  generateUrl: (_request: unknown, { host, path, id }: { host: string; path: string; id: string }) =>
    `${told ? `http://${host}` : "https://storage.invalid"}${path}/${Buffer.from(id).toString("base64url")}`,
  getFileIdFromRequest: (_request: unknown, last?: string) =>
    last ? Buffer.from(last, "base64url").toString() : undefined,
};

const tus = new Server({
  path: storage ? "/storage/v1/upload/resumable/sign" : "/files",
  datastore: new FileStore({ directory }),
  lockDrainTimeout: 300,
  ...(storage ? storageIds : {}),
  async onIncomingRequest(request) {
    if (token && request.headers.get("x-signature") !== token) {
      throw { status_code: 400, body: '"exp" claim timestamp check failed' };
    }
    await meet("incoming");
  },
  async onUploadCreate() {
    await meet("create");
    return {};
  },
  async onUploadFinish(_request, upload) {
    await meet("finish", upload.storage?.path);
    return { headers: { "Tus-Complete": "1" } };
  },
});

const http = createServer(async (request, response) => {
  if (request.url !== "/control") return tus.handle(request, response);
  let body = "";
  for await (const part of request) body += part;
  ({ token = "", faults = [] } = JSON.parse(body));
  calls = {};
  response.end("{}");
});
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: (http.address() as { port: number }).port })));
while (!(await lines.read()).done);
Deno.exit(0);
