// A row of a file with its place: turns offsets and paths into lines and columns. Pure.
import type { Place } from "./report.ts";
import { locate, type Path } from "./text/jsontext.ts";
import { characters } from "./text/words.ts";

/** The text of a row and where it begins; the column counts characters. */
export class Row implements Place {
  constructor(
    readonly text: string,
    readonly line: number,
    readonly column = 1,
    readonly prefix: Path = [],
  ) {}

  position(path: Path): [number, number] {
    return this.at(locate(this.text, path));
  }

  /** Line and column of an offset in the text. */
  at(offset: number): [number, number] {
    const lineStart = offset > 0 ? this.text.lastIndexOf("\n", offset - 1) + 1 : 0;
    if (lineStart === 0) return [this.line, this.column + characters(this.text, 0, offset)];
    let breaks = 0;
    for (let at = this.text.indexOf("\n"); at >= 0 && at < offset; at = this.text.indexOf("\n", at + 1)) breaks++;
    return [this.line + breaks, characters(this.text, lineStart, offset) + 1];
  }
}

/** A value inside a row, as a place of its own. */
export class PartOf implements Place {
  readonly prefix: Path;

  constructor(private readonly whole: Place, private readonly path: Path) {
    this.prefix = [...whole.prefix, ...path];
  }

  position(path: Path): [number, number] {
    return this.whole.position([...this.path, ...path]);
  }
}

/** The value of a key of a document, as a place whose paths begin with that key. */
export class Member implements Place {
  readonly prefix: Path = [];

  constructor(private readonly row: Row) {}

  position(path: Path): [number, number] {
    return this.row.position(path.slice(1));
  }
}
