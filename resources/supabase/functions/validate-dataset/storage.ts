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

  /** The bytes from `from` to before `to`, into one buffer; throws ReadError. */
  async read(from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
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
    const data = new Uint8Array(to - from);
    let filled = 0;
    for await (const piece of response.body!) {
      if (filled + piece.length > data.length) throw new ReadError("more bytes than asked for");
      data.set(piece, filled);
      filled += piece.length;
    }
    if (filled !== data.length) throw new ReadError(`${filled} of ${data.length} bytes came`);
    return data;
  }
}
