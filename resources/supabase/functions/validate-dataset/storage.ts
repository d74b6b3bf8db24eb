// Reads the bytes of an object by ranges, with the service key.
import type { Settings } from "./settings.ts";

/** The storage service did not give the bytes asked for. */
export class ReadError extends Error {}

export class ObjectReader {
  private readonly url: string;

  constructor(private readonly settings: Settings, bucket: string, path: string, private readonly sizeBytes: number) {
    const key = path.split("/").map(encodeURIComponent).join("/");
    this.url = `${settings.url}/storage/v1/object/authenticated/${bucket}/${key}`;
  }

  /** The bytes from `from` to before `to`; throws ReadError. A buffer given as `into` is taken over. */
  async read(from: number, to: number, into?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const { serviceKey } = this.settings;
    const response = await fetch(this.url, {
      headers: { Authorization: `Bearer ${serviceKey}`, apikey: serviceKey, Range: `bytes=${from}-${to - 1}` },
    });
    const isWhole = response.status === 200 && from === 0 && to === this.sizeBytes;
    if (response.status !== 206 && !isWhole) {
      throw new ReadError(`bytes ${from}-${to - 1}: HTTP ${response.status} ${(await response.text()).slice(0, 300)}`);
    }
    const range = response.headers.get("Content-Range");
    if (!isWhole && range !== `bytes ${from}-${to - 1}/${this.sizeBytes}`) {
      await response.body?.cancel();
      throw new ReadError(`bytes ${from}-${to - 1} asked for, ${range} given`);
    }
    return await fill(response.body!, to - from, into);
  }
}

/** Read exactly `length` bytes into the front of `buffer`, which must be large enough, or into a new one. */
async function fill(
  body: ReadableStream<Uint8Array>,
  length: number,
  buffer = new ArrayBuffer(length),
): Promise<Uint8Array<ArrayBuffer>> {
  // Bytes go straight into the buffer; pieces of their own would be as much memory again until they are collected.
  const reader = body.getReader({ mode: "byob" });
  let filled = 0;
  while (filled < length) {
    const { value, done } = await reader.read(new Uint8Array(buffer, filled, length - filled));
    if (value) buffer = value.buffer as ArrayBuffer;
    if (done) throw new ReadError(`${filled} of ${length} bytes came`);
    filled += value.length;
  }
  await reader.cancel();
  return new Uint8Array(buffer, 0, length);
}
