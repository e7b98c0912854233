// Numbers for people to read.

const LARGE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const SMALL = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });

/** A value with four significant digits, or all of those before the point. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e12 || (size < 1e-6 && size > 0)) return value.toExponential(3);
  return (size >= 1000 ? LARGE : SMALL).format(value);
}

/** A share as a percentage. */
export function percent(share, digits = 0) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`;
}

/** Two ends. */
export function span([lo, hi]) {
  return `${number(lo)} … ${number(hi)}`;
}

/** A count with its noun. */
export function count(n, noun, many = `${noun}s`) {
  return `${LARGE.format(n)} ${n === 1 ? noun : many}`;
}

/** The levels of a step's intervals, narrowest first. */
export function levelsOf(step) {
  return Object.keys(step?.intervals ?? {}).sort((a, b) => a - b);
}
