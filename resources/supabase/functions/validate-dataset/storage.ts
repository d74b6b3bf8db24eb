// Reads the bytes of an object by ranges, with the service key.
import type { Settings } from "./settings.ts";

/** The storage service did not give the bytes asked for. */
export class ReadError extends Error {}

const PIECE_BYTES = 1024 * 1024;

export class ObjectReader {
  private readonly url: string;

  constructor(private readonly settings: Settings, bucket: string, path: string, readonly sizeBytes: number) {
    const key = path.split("/").map(encodeURIComponent).join("/");
    this.url = `${settings.url}/storage/v1/object/authenticated/${bucket}/${key}`;
  }

  /** Begin to read the bytes from `from` to before `to`; throws ReadError. */
  async open(from: number, to: number): Promise<ByteStream> {
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
    return new ByteStream(response.body!, to - from);
  }

  /** All bytes from `from` to before `to`; throws ReadError. */
  async read(from: number, to: number): Promise<Uint8Array> {
    const stream = await this.open(from, to);
    const data = new Uint8Array(to - from);
    let filled = 0;
    for (let piece = await stream.next(); piece; piece = await stream.next()) {
      data.set(piece, filled);
      filled += piece.length;
    }
    return data;
  }
}

/** The bytes of an answer in pieces of 1 MiB, all in one buffer. */
export class ByteStream {
  private readonly reader: ReadableStreamBYOBReader;
  private buffer = new ArrayBuffer(PIECE_BYTES);

  constructor(body: ReadableStream<Uint8Array>, private left: number) {
    this.reader = body.getReader({ mode: "byob" });
  }

  /** The next piece, which is gone with the next call; null at the end. Throws ReadError if bytes are missing. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    const wanted = Math.min(PIECE_BYTES, this.left);
    if (!wanted) {
      await this.reader.cancel();
      return null;
    }
    let filled = 0;
    while (filled < wanted) {
      const { value, done } = await this.reader.read(new Uint8Array(this.buffer, filled, wanted - filled));
      if (value) this.buffer = value.buffer as ArrayBuffer;
      if (done) throw new ReadError(`the answer ended ${this.left - filled} bytes too early`);
      filled += value.length;
    }
    this.left -= wanted;
    return new Uint8Array(this.buffer, 0, wanted);
  }
}
