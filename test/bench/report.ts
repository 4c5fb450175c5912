// From the measured figures to what is printed: medians, the ratio of both sides, the targets, one aligned table.

/** The sides of a comparison, in the order they are measured: the gateway, and before it what it is compared with. */
export const sides = ["base", "gateway"] as const;
export type Side = (typeof sides)[number];
/** A figure, or a whole round, per side and round. */
export type Rounds<T> = Record<Side, T[]>;

/** What is aimed at: at most `max` times the figure of the base, or at most `max` in the row's own unit. */
export type Target = { readonly of: "ratio" | "figure"; readonly max: number };

export type Row = {
  readonly what: string;
  readonly measure: string;
  readonly unit: string;
  readonly base: number;
  readonly gateway: number;
  readonly ratio: number;
  readonly target: Target | undefined;
  /** `undefined` where nothing is aimed at. */
  readonly met: boolean | undefined;
};

/** One row out of all rounds of both sides: the median of each, and their ratio. */
export function row(
  what: string,
  measure: string,
  unit: string,
  rounds: Rounds<number>,
  target?: Target,
): Row {
  const [base, gateway] = [median(rounds.base), median(rounds.gateway)];
  const ratio = gateway / base;
  const met =
    target === undefined ? undefined : (target.of === "ratio" ? ratio : gateway) <= target.max;
  return { what, measure, unit, base, gateway, ratio, target, met };
}

/** The same for both sides. */
export function each<T>(of: (side: Side) => T): Record<Side, T> {
  return { base: of("base"), gateway: of("gateway") };
}

/**
 * A Markdown table with aligned columns, readable as it is.
 * @param names what the sides are called.
 */
export function table(rows: readonly Row[], names: Record<Side, string>): string {
  const header = ["", "", names.base, names.gateway, "ratio", "target"];
  const body = rows.map((line, index) => [
    rows[index - 1]?.what === line.what ? "" : line.what,
    line.measure,
    figure(line.base, line.unit),
    figure(line.gateway, line.unit),
    Number.isFinite(line.ratio) ? `${digits(line.ratio, 2)}×` : "–",
    targetText(line),
  ]);
  const lines = [header, ...body];
  const widths = header.map((_, column) =>
    Math.max(3, ...lines.map((cells) => (cells[column] ?? "").length)),
  );
  const pad = (cell: string, column: number) =>
    isFigure(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  const rule = widths.map((width, column) =>
    isFigure(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  return [header.map(pad), rule, ...body.map((cells) => cells.map(pad))]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** The middle of the figures; of an even count the mean of the two in the middle. NaN without figures. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (upper + lower) / 2;
}

/** Columns of figures stand to the right. */
function isFigure(column: number): boolean {
  return column >= 2 && column <= 4;
}

function targetText({ target, unit, met }: Row): string {
  if (target === undefined) return "";
  const bound = target.of === "ratio" ? `≤ ${target.max}×` : `≤ ${target.max} ${unit}`;
  return `${bound} ${met ? "met" : "missed"}`;
}

function figure(value: number, unit: string): string {
  return Number.isFinite(value) ? `${digits(value, 3)} ${unit}` : "–";
}

/** `significant` digits, but the whole part in full and at most two decimals. */
function digits(value: number, significant: number): string {
  const whole = Math.floor(Math.log10(Math.abs(value) || 1)) + 1;
  return value.toFixed(Math.max(0, Math.min(2, significant - whole)));
}
