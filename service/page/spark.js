// The small chart of a card: the newest observations, the forecast after them, and its bands.

import { svg } from "./dom.js";
import { count, levelsOf, number, span } from "./numbers.js";

const WIDTH = 300;
const HEIGHT = 72;
const PAD = 3;

/** The chart of a series at a glance; null where there is nothing to draw. */
export function spark({ name, history, ahead }) {
  const past = history ?? [];
  const steps = ahead ?? [];
  if (past.length + steps.length < 2) return null;
  const levels = levelsOf(steps[0]);
  const x = scale(timesOf(past, steps), 0, WIDTH);
  const y = scale(rangeOf(past, steps, levels), HEIGHT - PAD, PAD);
  const point = (ts, value) => `${x(Date.parse(ts)).toFixed(1)} ${y(value).toFixed(1)}`;
  const last = past.at(-1);
  const start = last ? [point(last.ts, last.value)] : [];
  const bands = levels.toReversed().map((level, i) => {
    const [lo, hi] = [0, 1].map((end) => steps.map((step) => point(step.target_ts, step.intervals[level][end])));
    return svg("path", {
      class: `band band-${levels.length - i}`,
      d: `${path([...start, ...hi, ...lo.toReversed()])}Z`,
    });
  });
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": told(name, past, steps, levels),
    },
    bands,
    last && svg("path", { class: "line observed", d: path(past.map(({ ts, value }) => point(ts, value))) }),
    steps.length > 0 &&
      svg("path", { class: "line ahead", d: path([...start, ...steps.map((s) => point(s.target_ts, s.mean))]) }),
  );
}

/** What the chart shows, in words. */
function told(name, past, steps, levels) {
  const values = past.map(({ value }) => value);
  const seen = past.length
    ? `${count(past.length, "observation")} from ${number(Math.min(...values))} to ${number(Math.max(...values))}, the last ${number(values.at(-1))}`
    : "no observation";
  const end = steps.at(-1);
  if (!end) return `${name}: ${seen}; no forecast`;
  const band = levels.length ? `, ${levels[0]} % between ${span(end.intervals[levels[0]])}` : "";
  return `${name}: ${seen}; forecast ${number(steps[0].mean)} next, ${number(end.mean)} after ${count(steps.length, "step")}${band}`;
}

function timesOf(past, steps) {
  const times = [past[0]?.ts, past.at(-1)?.ts, steps[0]?.target_ts, steps.at(-1)?.target_ts]
    .filter(Boolean)
    .map(Date.parse);
  return [Math.min(...times), Math.max(...times)];
}

/** From the lowest to the highest of lines and bands; a band so wide that it would flatten the rest is cut. */
function rangeOf(past, steps, levels) {
  const lines = [...past.map(({ value }) => value), ...steps.map(({ mean }) => mean)];
  const [low, high] = [Math.min(...lines), Math.max(...lines)];
  const room = 1.5 * (high - low || Math.abs(high) || 1);
  const ends = steps.flatMap((step) => levels.flatMap((level) => step.intervals[level]));
  return [Math.max(low - room, Math.min(low, ...ends)), Math.min(high + room, Math.max(high, ...ends))];
}

function scale([from, to], start, end) {
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

function path(points) {
  return `M${points.join("L")}`;
}
