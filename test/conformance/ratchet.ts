// The ratchet: what a run of the conformance suite is held to, given two lists. `differences`: cases where we differ on
// purpose. `pending`: cases that later issues will make pass. A case that is in neither must pass, and one that is in a
// list must still fail, so that nothing won is lost and no list outlives its reason. Running the suite is in run.ts.

/** One case as the suite reports it. `(setup)` is the name it gives to an area that did not start. */
export type CaseResult = { area: string; name: string; ok: boolean; error?: string };

/** `area/case` → why. */
export type Reasons = Readonly<Record<string, string>>;

export type Verdict = { passed: number; pending: number; differ: number; failures: string[] };

/**
 * @param expected.areas the areas that were run as a whole; a listed case that is missing from one of them is a failure.
 */
export function judge(
  results: readonly CaseResult[],
  expected: { areas: readonly string[]; differences: Reasons; pending: Reasons },
): Verdict {
  const verdict: Verdict = { passed: 0, pending: 0, differ: 0, failures: [] };
  for (const result of results) {
    const name = `${result.area}/${result.name}`;
    const listed =
      name in expected.differences
        ? "differences"
        : name in expected.pending
          ? "pending"
          : undefined;
    if (result.ok && listed === undefined) verdict.passed++;
    else if (result.ok)
      verdict.failures.push(`${name}: now passes: take it off the list of ${listed}`);
    else if (listed === "differences") verdict.differ++;
    else if (listed === "pending") verdict.pending++;
    else verdict.failures.push(`${name}: ${result.error ?? "failed"}`);
  }
  verdict.failures.push(...unreached(results, expected));
  return verdict;
}

/** Listed cases that the run did not report, and areas that reported nothing. */
function unreached(
  results: readonly CaseResult[],
  {
    areas,
    differences,
    pending,
  }: { areas: readonly string[]; differences: Reasons; pending: Reasons },
): string[] {
  const reported = new Set(results.map(({ area, name }) => `${area}/${name}`));
  const notStarted = new Set(
    results.filter(({ name, ok }) => name === "(setup)" && !ok).map(({ area }) => area),
  );
  const silent = areas.filter((area) => !results.some((result) => result.area === area));
  const gone = [...Object.keys(differences), ...Object.keys(pending)].filter((name) => {
    const area = name.slice(0, name.indexOf("/"));
    // Behind a setup that failed no case is reported; that failure is judged by itself.
    return (
      areas.includes(area) && !silent.includes(area) && !notStarted.has(area) && !reported.has(name)
    );
  });
  const both = Object.keys(differences).filter((name) => name in pending);
  return [
    ...silent.map((area) => `${area}: the run reported no case`),
    ...gone.map((name) =>
      name.endsWith("/(setup)")
        ? `${name}: the area now starts: take it off the list`
        : `${name}: listed, but the suite has no such case`,
    ),
    ...both.map((name) => `${name}: listed as a difference and as pending: choose one`),
  ];
}
