// Which known key a misspelt one was meant to be: the ratio of Ratcliff and Obershelp, as Python's difflib computes it.
// Pure; texts are short keys (64 characters at most), so the quadratic search is fine.
import { compareText } from "./words.ts";

function matchingSize(a: string[], b: string[]): number {
  const positions = new Map<string, number[]>();
  b.forEach((character, index) => {
    const list = positions.get(character);
    if (list) list.push(index);
    else positions.set(character, [index]);
  });
  let total = 0;
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  while (open.length) {
    const [aLow, aHigh, bLow, bHigh] = open.pop()!;
    let bestA = aLow, bestB = bLow, bestSize = 0;
    let lengths = new Map<number, number>();
    for (let i = aLow; i < aHigh; i++) {
      const next = new Map<number, number>();
      for (const j of positions.get(a[i]) ?? []) {
        if (j < bLow) continue;
        if (j >= bHigh) break;
        const size = (lengths.get(j - 1) ?? 0) + 1;
        next.set(j, size);
        if (size > bestSize) {
          bestA = i - size + 1;
          bestB = j - size + 1;
          bestSize = size;
        }
      }
      lengths = next;
    }
    if (bestSize) {
      total += bestSize;
      if (aLow < bestA && bLow < bestB) open.push([aLow, bestA, bLow, bestB]);
      if (bestA + bestSize < aHigh && bestB + bestSize < bHigh) {
        open.push([bestA + bestSize, aHigh, bestB + bestSize, bHigh]);
      }
    }
  }
  return total;
}

/** The one of `candidates` that is most like `word`, if at least `cutoff` (0 to 1) of both agrees. */
export function closest(word: string, candidates: Iterable<string>, cutoff: number): string | null {
  const wanted = [...word];
  let best: string | null = null;
  let bestRatio = -1;
  for (const candidate of candidates) {
    const found = [...candidate];
    const length = wanted.length + found.length;
    if (length && (2 * Math.min(wanted.length, found.length)) / length < cutoff) continue;
    const ratio = length ? (2 * matchingSize(found, wanted)) / length : 1;
    if (ratio < cutoff) continue;
    if (ratio > bestRatio || (ratio === bestRatio && compareText(candidate, best!) > 0)) {
      best = candidate;
      bestRatio = ratio;
    }
  }
  return best;
}
