// Reads an object stretch by stretch so that every byte that is checked is one whose checksum was compared.
//
// What is proved: each 32 MiB slice has the SHA-256 that the client wrote into the row when it uploaded. All slices
// together are the whole file, so the stored bytes are those that the client had; the manifest's hash of the whole is
// not computed again. Bytes that are read once more, because a row or the time of an invocation ended inside a slice,
// are compared with a hash made when their slice was verified. Without a manifest nothing of this is proved.
import type { ObjectReader } from "./storage.ts";

export interface Manifest {
  whole: string;
  slice_size: number;
  slices: string[];
}

/** Where reading stands. Bytes from `keptFrom` to `verifiedTo` were verified and have the hash of pieces `keptSha256`. */
export interface ReadState {
  nextByte: number;
  keptFrom: number;
  verifiedTo: number;
  keptSha256: string;
  /** The rest of what was verified holds no whole row. */
  needsMore: boolean;
}

/** Bytes at hand: `data` begins at byte `base` of the object, the next row at `data[at]`. */
export interface Stretch {
  data: Uint8Array<ArrayBuffer>;
  base: number;
  at: number;
  isEnd: boolean;
}

/** The stored bytes are not those of the manifest. */
export class ChecksumMismatch extends Error {}
const DIFFERS = "a slice has another checksum than the one uploaded";
const CHANGED = "bytes that were verified have changed";

/** Hashing copies its input, so what is hashed for ourselves is hashed in pieces. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Without a manifest the slices are ours to choose: small ones need less memory. */
const FREE_SLICE_BYTES = 8 * 1024 * 1024;
/** Less than this left over is checked together with the next slice. */
const SMALL_REST_BYTES = 1024 * 1024;

/**
 * One buffer for all runs of this process, one after the other: a slice each would add up until the memory is collected.
 */
let shared: ArrayBuffer | null = null;

function takeShared(length: number): ArrayBuffer {
  const buffer = shared !== null && shared.byteLength >= length ? shared : new ArrayBuffer(length + SMALL_REST_BYTES);
  shared = null;
  return buffer;
}

export function newReadState(): ReadState {
  return { nextByte: 0, keptFrom: 0, verifiedTo: 0, keptSha256: "", needsMore: true };
}

export class SliceReader {
  constructor(
    private readonly reader: Pick<ObjectReader, "read">,
    private readonly sizeBytes: number,
    private readonly manifest: Manifest | null,
  ) {
    if (manifest && manifest.slices.length === 1 && manifest.slices[0] !== manifest.whole) {
      throw new ChecksumMismatch("the manifest contradicts itself");
    }
  }

  /** Read what comes next, and verify it; throws ChecksumMismatch and ReadError. */
  async next(state: ReadState): Promise<Stretch> {
    const { nextByte, keptFrom, verifiedTo, keptSha256, needsMore } = state;
    const isEnough = !needsMore && verifiedTo - nextByte >= SMALL_REST_BYTES;
    const sliceBytes = this.manifest?.slice_size ?? FREE_SLICE_BYTES;
    const to = isEnough ? verifiedTo : Math.min(this.sizeBytes, verifiedTo + sliceBytes);
    const data = await this.reader.read(keptFrom, to, takeShared(to - keptFrom));
    shared = data.buffer;
    if (this.manifest) {
      const old = verifiedTo - keptFrom;
      if (old > 0 && await hashOfPieces(data.subarray(0, old)) !== keptSha256) throw new ChecksumMismatch(CHANGED);
      const expected = this.manifest.slices[Math.floor(verifiedTo / sliceBytes)];
      if (to > verifiedTo && await sha256(data.subarray(old)) !== expected) throw new ChecksumMismatch(DIFFERS);
    }
    return { data, base: keptFrom, at: nextByte - keptFrom, isEnd: to === this.sizeBytes };
  }

  /** The state after `done` bytes of a stretch were checked; `before` bytes in front of them are needed again. */
  async after(stretch: Stretch, done: number, before: number, needsMore: boolean): Promise<ReadState> {
    const kept = Math.max(0, done - before);
    const rest = stretch.data.subarray(kept);
    return {
      nextByte: stretch.base + done,
      keptFrom: stretch.base + kept,
      verifiedTo: stretch.base + stretch.data.length,
      keptSha256: this.manifest ? await hashOfPieces(rest) : "",
      needsMore,
    };
  }
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(await digest(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The SHA-256 of the SHA-256 of all pieces. */
async function hashOfPieces(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digests: number[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    digests.push(...await digest(bytes.subarray(at, at + PIECE_BYTES)));
  }
  return await sha256(new Uint8Array(digests));
}
