// Sends one file to a tus server with tus-js-client in its own 6 MiB chunks, as the service's guide shows.
// Arguments: URL of the collection, file. Prints {wall_s, cpu_s} of the sending itself as one JSON line.
import { createReadStream, statSync } from "node:fs";
import * as tus from "npm:tus-js-client@4";

const [endpoint, file] = Deno.args;
const wall = performance.now();
const cpu = process.cpuUsage();
const upload = new tus.Upload(createReadStream(file), {
  endpoint,
  chunkSize: 6 * 1024 * 1024,
  uploadSize: statSync(file).size,
  retryDelays: null,
  metadata: { bucketName: "bench", objectName: "pairs.jsonl", contentType: "application/x-ndjson" },
  onError(error) {
    console.error(String(error));
    Deno.exit(1);
  },
  onSuccess() {
    const used = process.cpuUsage(cpu);
    console.log(JSON.stringify({ wall_s: (performance.now() - wall) / 1000, cpu_s: (used.user + used.system) / 1e6 }));
    Deno.exit(0);
  },
});
upload.start();
