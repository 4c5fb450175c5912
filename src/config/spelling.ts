// Which known word somebody may have meant.

/** Longer words are not compared: no key of ours is, and the work grows with the square. */
const lengthMax = 64;

/** The known word that the fewest slips of the finger away is, if those are few for its length. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  return nearestOf(known)(word);
}

/**
 * The same for many words and one list, of which what they are compared by is derived once.
 * @param strayMax how many letters either of the two may have that the other has not.
 */
export function nearestOf(
  known: readonly string[],
  strayMax = lengthMax,
): (word: string) => string | undefined {
  const candidates = known.map((name) => ({ name, ...lettersOf(name) }));
  return (word) => {
    if (word.length > lengthMax) return undefined;
    const written = lettersOf(word);
    const slipsMax = Math.max(1, Math.floor(word.length / 3));
    // Every letter that only one of them has is a slip of its own. Counting those takes far less work than counting slips.
    const within = Math.min(slipsMax, strayMax);
    const ranked = candidates
      .filter((candidate) => !areStrangers(written.sorted, candidate.sorted, within))
      .map(({ name, plain }) => ({ name, slips: slips(written.plain, plain) }))
      .filter(({ slips: count }) => count <= slipsMax)
      .toSorted((a, b) => a.slips - b.slips);
    return ranked[0]?.name;
  };
}

/** A word whatever its case, and its letters in order. */
function lettersOf(word: string): { plain: string; sorted: string } {
  const plain = word.toLowerCase();
  return { plain, sorted: plain.split("").toSorted().join("") };
}

/** Whether either word has more letters than that which the other has not. Takes the letters in order. */
function areStrangers(one: string, other: string, strayMax: number): boolean {
  if (Math.abs(one.length - other.length) > strayMax) return true;
  let [here, there, shared] = [0, 0, 0];
  const sharedMin = Math.max(one.length, other.length) - strayMax;
  while (here < one.length && there < other.length) {
    const ahead = one.charCodeAt(here) - other.charCodeAt(there);
    if (ahead <= 0) here += 1;
    if (ahead >= 0) there += 1;
    if (ahead === 0) shared += 1;
  }
  return shared < sharedMin;
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
