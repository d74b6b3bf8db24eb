// Reads an object slice by slice so that every byte that is checked is one whose checksum was compared.
//
// What is proved: each 32 MiB slice has the SHA-256 that the client wrote into the row when it uploaded. All slices
// together are the whole file, so the stored bytes are those that the client had; the manifest's hash of the whole is
// not computed again. Bytes that are read once more, because a row or the time of an invocation ended inside a slice,
// are compared with a hash made when their slice was verified. Without a manifest nothing of this is proved.
//
// Hashes are made as the bytes pass. WebCrypto would need a slice and a copy of it at once, which alone took an
// invocation to 180-200 MB (2026-11, Deno 2.9); this way a slice takes the memory of a piece.
import { createHash, type Hash } from "node:crypto";
import type { ByteStream, ObjectReader } from "./storage.ts";

export interface Manifest {
  whole: string;
  slice_size: number;
  slices: string[];
}

/** Where reading stands. Bytes from `keptFrom` to `verifiedTo` were verified and have the hash `keptSha256`. */
export interface ReadState {
  nextByte: number;
  keptFrom: number;
  verifiedTo: number;
  keptSha256: string;
  /** The rest of what was verified holds no whole row. */
  needsMore: boolean;
}

/** The stored bytes are not those of the manifest. */
export class ChecksumMismatch extends Error {}

/** The size of a client's slices; without a manifest it is ours to choose. */
const SLICE_BYTES = 32 * 1024 * 1024;
/** Less than this left over is checked together with the next slice. */
const SMALL_REST_BYTES = 1024 * 1024;

export function newReadState(): ReadState {
  return { nextByte: 0, keptFrom: 0, verifiedTo: 0, keptSha256: "", needsMore: true };
}

/**
 * What one invocation reads: the kept bytes, and the next slice if they are not enough. `data` are the bytes at hand,
 * beginning at byte `base` of the object.
 */
export class SliceWindow {
  data: Uint8Array;
  base: number;
  private buffer = new Uint8Array(2 * SMALL_REST_BYTES);
  private readonly keptHash = createHash("sha256");
  private readonly sliceHash = createHash("sha256");
  /** Hashes what the next invocation reads again, once it is known where that begins. */
  private restHash: Hash | null = null;
  private readTo: number;
  private hashedTo: number;
  private isVerified = false;

  private constructor(
    private readonly stream: ByteStream,
    private readonly state: ReadState,
    private readonly to: number,
    private readonly sizeBytes: number,
    private readonly manifest: Manifest | null,
  ) {
    this.base = this.readTo = this.hashedTo = state.keptFrom;
    this.data = this.buffer.subarray(0, 0);
  }

  /** Throws ChecksumMismatch and ReadError. */
  static async open(reader: ObjectReader, manifest: Manifest | null, state: ReadState): Promise<SliceWindow> {
    if (manifest && manifest.slices.length === 1 && manifest.slices[0] !== manifest.whole) {
      throw new ChecksumMismatch("the manifest contradicts itself");
    }
    const { nextByte, verifiedTo, needsMore, keptFrom } = state;
    const isEnough = !needsMore && verifiedTo - nextByte >= SMALL_REST_BYTES;
    const sliceBytes = manifest?.slice_size ?? SLICE_BYTES;
    const to = isEnough ? verifiedTo : Math.min(reader.sizeBytes, verifiedTo + sliceBytes);
    return new SliceWindow(await reader.open(keptFrom, to), state, to, reader.sizeBytes, manifest);
  }

  /** Whether the object ends with the bytes at hand. */
  get isEnd(): boolean {
    return this.readTo === this.sizeBytes;
  }

  /** Read the next piece behind what is at hand; false at the end of the slice, which is verified then. */
  async more(): Promise<boolean> {
    const piece = await this.stream.next();
    if (piece === null) {
      this.verify();
      return false;
    }
    this.hash(piece);
    this.append(piece);
    this.readTo += piece.length;
    return true;
  }

  /** Forget the bytes at hand before the first `count`. */
  drop(count: number): void {
    this.data = this.data.subarray(count);
    this.base += count;
  }

  /** Verify the rest of the slice, and say where the next invocation goes on: at byte `nextByte`. */
  async close(nextByte: number, beforeBytes: number, needsMore: boolean): Promise<ReadState> {
    const keptFrom = Math.max(this.base, nextByte - beforeBytes);
    this.restHash = createHash("sha256").update(this.data.subarray(keptFrom - this.base));
    for (let piece = await this.stream.next(); piece; piece = await this.stream.next()) this.hash(piece);
    this.verify();
    return { nextByte, keptFrom, verifiedTo: this.to, keptSha256: this.restHash.digest("hex"), needsMore };
  }

  private hash(piece: Uint8Array): void {
    const kept = Math.min(piece.length, Math.max(0, this.state.verifiedTo - this.hashedTo));
    if (kept) this.keptHash.update(piece.subarray(0, kept));
    if (kept < piece.length) this.sliceHash.update(piece.subarray(kept));
    this.restHash?.update(piece);
    this.hashedTo += piece.length;
  }

  private append(piece: Uint8Array): void {
    const { data } = this;
    const length = data.length + piece.length;
    if (data.byteOffset + length > this.buffer.length) {
      const target = length > this.buffer.length ? new Uint8Array(2 * length) : this.buffer;
      target.set(data);
      this.buffer = target;
      this.data = target.subarray(0, data.length);
    }
    const at = this.data.byteOffset + this.data.length;
    this.buffer.set(piece, at);
    this.data = this.buffer.subarray(this.data.byteOffset, at + piece.length);
  }

  private verify(): void {
    if (!this.manifest || this.isVerified) return;
    this.isVerified = true;
    const { keptFrom, verifiedTo, keptSha256 } = this.state;
    if (verifiedTo > keptFrom && this.keptHash.digest("hex") !== keptSha256) {
      throw new ChecksumMismatch("bytes that were verified have changed");
    }
    const expected = this.manifest.slices[Math.floor(verifiedTo / this.manifest.slice_size)];
    if (this.to > verifiedTo && this.sliceHash.digest("hex") !== expected) {
      throw new ChecksumMismatch("a slice has another checksum than the one uploaded");
    }
  }
}
