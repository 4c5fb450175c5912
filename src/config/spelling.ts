// Which known word somebody may have meant.

/** Longer words are not compared: no key of ours is, and the work grows with the square. */
const lengthMax = 64;

/** The known word that the fewest slips of the finger away is, if those are few for its length. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > lengthMax) return undefined;
  const slipsMax = Math.max(1, Math.floor(word.length / 3));
  const ranked = known
    .map((candidate) => ({ candidate, slips: slips(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ slips: count }) => count <= slipsMax)
    .toSorted((a, b) => a.slips - b.slips);
  return ranked[0]?.candidate;
}

/** Letters left out, added, changed, or swapped with their neighbour (optimal string alignment distance). */
function slips(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          cell(last, column) + 1,
          cell(current, column - 1) + 1,
          cell(last, column - 1) + (same ? 0 : 1),
          swapped ? cell(beforeLast, column - 2) + 1 : Infinity,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return cell(last, to.length);
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
