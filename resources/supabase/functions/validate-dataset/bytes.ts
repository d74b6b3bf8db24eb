// Bytes and their text: limits of rows, decoding with every mistake located, what encoding a file has. Pure.

/** A row over MAX_ROW_BYTES is skipped, one over LONG_ROW_BYTES gets a warning. */
export const MAX_ROW_BYTES = 16 * 1024 * 1024;
export const LONG_ROW_BYTES = 1_000_000;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text of bytes; what is no UTF-8 becomes replacement characters. */
export function decodeLenient(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** Text of bytes, or null if they are no UTF-8. */
export function decodeStrict(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** Whether a line has nothing but blanks, tabs and carriage returns. */
export function isBlankLine(bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return false;
  }
  return true;
}

/** The first sequence that is no UTF-8: its offset, and whether it is only the beginning of a character. */
export function findInvalid(bytes: Uint8Array): { offset: number; isUnfinished: boolean } {
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at];
    if (lead < 0x80) {
      at++;
      continue;
    }
    const length = lead >= 0xc2 && lead <= 0xdf
      ? 2
      : lead >= 0xe0 && lead <= 0xef
      ? 3
      : lead >= 0xf0 && lead <= 0xf4
      ? 4
      : 0;
    if (!length) return { offset: at, isUnfinished: false };
    for (let index = 1; index < length; index++) {
      if (at + index >= bytes.length) return { offset: at, isUnfinished: true };
      const byte = bytes[at + index];
      let low = 0x80, high = 0xbf;
      if (index === 1) {
        if (lead === 0xe0) low = 0xa0;
        else if (lead === 0xed) high = 0x9f;
        else if (lead === 0xf0) low = 0x90;
        else if (lead === 0xf4) high = 0x8f;
      }
      if (byte < low || byte > high) return { offset: at, isUnfinished: false };
    }
    at += length;
  }
  return { offset: bytes.length, isUnfinished: false };
}

/** The encoding a text that is no UTF-8 probably has: five bytes have no meaning in Windows-1252. */
export function likelyEncoding(bytes: Uint8Array): string {
  for (const byte of bytes) {
    if (byte === 0x81 || byte === 0x8d || byte === 0x8f || byte === 0x90 || byte === 0x9d) {
      return "Latin-1 or Mac Roman";
    }
  }
  return "Windows-1252";
}

const MARKS: [number[], string][] = [
  [[0xff, 0xfe, 0x00, 0x00], "UTF-32"],
  [[0x00, 0x00, 0xfe, 0xff], "UTF-32"],
  [[0xff, 0xfe], "UTF-16"],
  [[0xfe, 0xff], "UTF-16"],
];
export const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export function startsWith(bytes: Uint8Array, mark: number[]): boolean {
  return bytes.length >= mark.length && mark.every((byte, index) => bytes[index] === byte);
}

/** UTF-16 or UTF-32 by its mark, or by the zero bytes that plain letters have there; else null. */
export function wideEncoding(head: Uint8Array): string | null {
  for (const [mark, name] of MARKS) if (startsWith(head, mark)) return name;
  const beginning = head.subarray(0, 4096);
  let zeros = 0;
  for (const byte of beginning) if (byte === 0) zeros++;
  if (zeros === 0 || zeros * 8 < beginning.length * 3) return null;
  return zeros * 8 > beginning.length * 5 ? "UTF-32" : "UTF-16";
}
