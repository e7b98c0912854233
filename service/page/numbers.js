// Numbers for people to read.

const UNITS = [
  [1e12, "\u00a0tn"],
  [1e9, "\u00a0bn"],
  [1e6, "\u00a0m"],
];
const LARGE = 10; // of a unit: from there on a number is told in it, where that tells enough
const MOST = 4; // decimals of a unit that are still easier to read than all digits
const ROUNDING = 1e-12; // of a number
const DIGITS = 15; // that a number of 64 bits holds
const formats = new Map();

/** How the numbers of a series are told: with as many decimals as tell them apart, all of them alike. */
export class Numbers {
  constructor(series) {
    this.learn(series);
  }

  /** series: at a glance, with some of its history. */
  learn({ newest, history, next }) {
    const values = [...(history ?? []).map(({ value }) => value), ...(newest ? [newest.value] : [])];
    const size = Math.max(...(values.length ? values : [next?.mean ?? 0]).map(Math.abs));
    const range = values.length ? Math.max(...values) - Math.min(...values) : 0;
    const [lo, hi] = next?.intervals[levelsOf(next)[0]] ?? [0, 0];
    // What differs by less is rounding, and around values that are all the same a narrow band is hardly more.
    this.least = (range > ROUNDING * size ? ROUNDING : 1e-3) * size || 1e-3;
    const spread = Math.min(...[range, hi - lo].filter((width) => width > this.least));
    this.form = formOf(size, Number.isFinite(spread) ? hundredth(spread) : lastDigit(newest?.value ?? 0));
  }

  /** A value. */
  tell(value) {
    return written(value, this.form);
  }

  /** From one value to another: whether up, down or the same (1, -1, 0), as it is told, and by how much. */
  change(from, to) {
    const told = this.tell(to - from);
    const sign = told === this.tell(0) ? 0 : Math.sign(to - from);
    return { sign, told: sign > 0 ? `+${told}` : sign ? told : "the same" };
  }

  /** Two ends, their unit once. Where that is too long for a line, it breaks between them. */
  span([lo, hi]) {
    const [from, to] = [this.tell(lo), this.tell(hi)];
    return `${from.slice(0, from.length - this.form.unit.length)}\u00a0… ${to}`;
  }
}

/** The labels of an axis, told apart. step: from one to the next. */
export function ticks(splits, step) {
  const form = formOf(Math.max(...splits.map(Math.abs)), lastDigit(step));
  return splits.map((split) => written(split, form));
}

/** A share as a percentage. */
export function percent(share, digits = 0) {
  return share === null || share === undefined ? "–" : levelTold((100 * share).toFixed(digits));
}

/** A level, which is in percent. */
export function levelTold(level) {
  return `${level}\u00a0%`;
}

/** A ratio. */
export function ratio(value) {
  return value === null || value === undefined ? "–" : value.toFixed(3);
}

/** A whole number. */
export function whole(n) {
  return format(0).format(n);
}

/** A count with its noun. */
export function count(n, noun, many = `${noun}s`) {
  return `${whole(n)} ${n === 1 ? noun : many}`;
}

/** The levels of a step's intervals, narrowest first. */
export function levelsOf(step) {
  return Object.keys(step?.intervals ?? {}).sort((a, b) => a - b);
}

/** What numbers of this size are divided by, so many decimals, and their unit: so that `step` is still seen. */
function formOf(size, step) {
  const decimals = (by) => Math.min(DIGITS - 1 - power(size / by), Math.max(0, -power(step / by)));
  if (size >= 1e15 || (size > 0 && size < 1e-4)) {
    const by = Number(`1e${power(size)}`);
    return { by, decimals: decimals(by), unit: `e${power(size)}` };
  }
  const [by, unit] = UNITS.find(([by]) => size >= LARGE * by) ?? [1, ""];
  if (unit && decimals(by) <= MOST) return { by, decimals: decimals(by), unit };
  return { by: 1, decimals: Math.max(0, decimals(1)), unit: "" };
}

function written(value, { by, decimals, unit }) {
  if (!Number.isFinite(value)) return "–";
  return `${format(decimals).format(value / by)}${unit}`;
}

/** The power of ten below a number. */
function power(value) {
  return value > 0 ? Math.floor(Math.log10(value) + 1e-9) : 0;
}

/** The power of ten that is a hundredth of a number at most, or near it. */
function hundredth(value) {
  return 10 ** (power(value) - 2);
}

/** The power of ten of a number's last digit, six at most being of interest. */
function lastDigit(value) {
  const [mantissa, exponent] = Math.abs(Number(value.toPrecision(6)))
    .toExponential()
    .split("e");
  return 10 ** (Number(exponent) - Math.max(0, mantissa.length - 2));
}

function format(decimals) {
  if (!formats.has(decimals)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    formats.set(decimals, new Intl.NumberFormat("en-GB", { ...digits, signDisplay: "negative" })); // never "-0"
  }
  return formats.get(decimals);
}
