// A JSON parser that says exactly where and why it stops, at the same character as the desktop's.
// Slow beside JSON.parse, so only texts that it refuses, or whose numbers need care, come here. Offsets are UTF-16 units.

export type Json = null | boolean | number | bigint | string | Fraction | Json[] | { [key: string]: Json };

/** A number written with a fraction or an exponent whose value is whole: 2.0 is no integer. */
export class Fraction {
  constructor(readonly value: number) {}
}

/** Where a text is no JSON, in the words of Python's decoder. */
export class JsonError extends Error {
  constructor(readonly problem: string, readonly offset: number) {
    super(problem);
  }
}

/** Nested deeper than this counts as unreadable, wherever only "is this JSON?" is asked. */
const MAX_NESTING = 900;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Whether an integer fits 64 bits; `digits` as written. */
export function fitsInt64(digits: string): boolean {
  if (digits.length > 20) return false;
  const number = BigInt(digits);
  return number >= INT64_MIN && number <= INT64_MAX;
}

export class JsonParser {
  /** A number out of bounds was seen and replaced by 0. */
  oddNumbers = false;
  /** Keys given again in their object: where, and the path of the object and the key. */
  readonly repeatedKeys: { offset: number; path: (string | number)[] }[] = [];
  private readonly path: (string | number)[] = [];

  constructor(private readonly text: string, private readonly strict = true) {}

  /** The one value of the whole text; throws JsonError. */
  parse(): Json {
    const start = this.space(0);
    const [value, end] = this.value(start);
    const rest = this.space(end);
    if (rest !== this.text.length) throw new JsonError("Extra data", rest);
    return value;
  }

  space(at: number): number {
    for (;;) {
      const code = this.text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
      at++;
    }
  }

  /** A value at an offset, and the offset behind it; throws JsonError. */
  value(at: number): [Json, number] {
    const text = this.text;
    switch (text[at]) {
      case '"':
        return this.string(at);
      case "{":
      case "[": {
        if (this.path.length >= MAX_NESTING) throw new JsonError("Nested too deep", at);
        const isObject = text[at] === "{";
        this.path.push(isObject ? "" : 0);
        const result = isObject ? this.object(at + 1) : this.array(at + 1);
        this.path.pop();
        return result;
      }
      case "n":
        if (text.startsWith("null", at)) return [null, at + 4];
        break;
      case "t":
        if (text.startsWith("true", at)) return [true, at + 4];
        break;
      case "f":
        if (text.startsWith("false", at)) return [false, at + 5];
        break;
      case "N":
        if (text.startsWith("NaN", at)) return [this.odd(), at + 3];
        break;
      case "I":
        if (text.startsWith("Infinity", at)) return [this.odd(), at + 8];
        break;
      case "-":
        if (text.startsWith("-Infinity", at)) return [this.odd(), at + 9];
        break;
    }
    return this.number(at);
  }

  private odd(): Fraction {
    this.oddNumbers = true;
    return new Fraction(0);
  }

  private object(at: number): [Json, number] {
    const text = this.text;
    const result: { [key: string]: Json } = Object.create(null);
    at = this.space(at);
    if (text[at] === "}") return [result, at + 1];
    for (;;) {
      if (text[at] !== '"') throw new JsonError("Expecting property name enclosed in double quotes", at);
      const keyAt = at;
      let key: string;
      [key, at] = this.string(at);
      at = this.space(at);
      if (text[at] !== ":") throw new JsonError("Expecting ':' delimiter", at);
      at = this.space(at + 1);
      this.path[this.path.length - 1] = key;
      if (key in result) this.repeatedKeys.push({ offset: keyAt, path: [...this.path] });
      let value: Json;
      [value, at] = this.value(at);
      result[key] = value;
      at = this.space(at);
      if (text[at] === "}") return [result, at + 1];
      if (text[at] !== ",") throw new JsonError("Expecting ',' delimiter", at);
      at = this.space(at + 1);
    }
  }

  private array(at: number): [Json, number] {
    const text = this.text;
    const result: Json[] = [];
    at = this.space(at);
    if (text[at] === "]") return [result, at + 1];
    for (;;) {
      let value: Json;
      [value, at] = this.value(at);
      result.push(value);
      this.path[this.path.length - 1] = result.length;
      at = this.space(at);
      if (text[at] === "]") return [result, at + 1];
      if (text[at] !== ",") throw new JsonError("Expecting ',' delimiter", at);
      at = this.space(at + 1);
    }
  }

  /** A string whose opening quote is at `at`. */
  string(at: number): [string, number] {
    const text = this.text;
    const begin = at;
    const length = text.length;
    let result = "";
    let end = at + 1;
    for (;;) {
      let next = end;
      let code = 0;
      for (; next < length; next++) {
        code = text.charCodeAt(next);
        if (code === 0x22 || code === 0x5c) break;
        if (code <= 0x1f && this.strict) throw new JsonError("Invalid control character at", next);
      }
      if (next >= length) throw new JsonError("Unterminated string starting at", begin);
      result += text.slice(end, next);
      next++;
      if (code === 0x22) return [result, next];
      if (next === length) throw new JsonError("Unterminated string starting at", begin);
      const escape = text[next];
      if (escape !== "u") {
        const index = '"\\/bfnrt'.indexOf(escape);
        if (index < 0) throw new JsonError("Invalid \\escape", next - 1);
        result += '"\\/\b\f\n\r\t'[index];
        end = next + 1;
        continue;
      }
      next++;
      if (next + 4 >= length) throw new JsonError("Invalid \\uXXXX escape", next - 1);
      let unit = this.hex(next, next - 1);
      end = next + 4;
      // A second half is read with the first, so that a mistake in it is reported.
      if (unit >= 0xd800 && unit < 0xdc00 && end + 6 < length && text[end] === "\\" && text[end + 1] === "u") {
        const low = this.hex(end + 2, end + 1);
        if (low >= 0xdc00 && low < 0xe000) {
          result += String.fromCharCode(unit);
          unit = low;
          end += 6;
        }
      }
      result += String.fromCharCode(unit);
    }
  }

  private hex(at: number, complainAt: number): number {
    const digits = this.text.slice(at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new JsonError("Invalid \\uXXXX escape", complainAt);
    return parseInt(digits, 16);
  }

  private number(start: number): [Json, number] {
    const text = this.text;
    let at = start;
    if (text[at] === "-") at++;
    if (text[at] === "0") at++;
    else if (isDigit(text.charCodeAt(at))) { while (isDigit(text.charCodeAt(at))) at++; }
    else throw new JsonError("Expecting value", start);
    let isFraction = false;
    if (text[at] === "." && isDigit(text.charCodeAt(at + 1))) {
      isFraction = true;
      at += 2;
      while (isDigit(text.charCodeAt(at))) at++;
    }
    if ((text[at] === "e" || text[at] === "E") && at + 1 < text.length) {
      let end = at + 1;
      if (text[end] === "-" || text[end] === "+") end++;
      if (isDigit(text.charCodeAt(end))) {
        while (isDigit(text.charCodeAt(end))) end++;
        isFraction = true;
        at = end;
      }
    }
    const digits = text.slice(start, at);
    if (isFraction) {
      const number = Number(digits);
      if (!Number.isFinite(number)) return [this.odd(), at];
      return [Number.isInteger(number) ? new Fraction(number) : number, at];
    }
    if (!fitsInt64(digits)) {
      this.oddNumbers = true;
      return [0, at];
    }
    const number = Number(digits);
    return [Number.isSafeInteger(number) ? number : BigInt(digits), at];
  }
}
