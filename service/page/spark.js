// The small chart of a card: the newest observations, the forecast after them, and its bands.

import { svg } from "./dom.js";
import { count, levelsOf, levelTold } from "./numbers.js";

const WIDTH = 300;
const HEIGHT = 72;
const PAD = 3;

/** The chart of a series at a glance, whose numbers are told so; null where there is nothing to draw. */
export function spark({ name, history, ahead }, numbers) {
  const past = history ?? [];
  const steps = ahead ?? [];
  if (past.length + steps.length < 2) return null;
  const levels = levelsOf(steps[0]);
  const x = scale(timesOf(past, steps), 0, WIDTH);
  const y = scale(rangeOf(past, steps, levels, numbers.least), HEIGHT - PAD, PAD);
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
      "aria-label": told(name, past, steps, levels, numbers),
    },
    bands,
    last && svg("path", { class: "line observed", d: path(past.map(({ ts, value }) => point(ts, value))) }),
    steps.length > 0 &&
      svg("path", { class: "line ahead", d: path([...start, ...steps.map((s) => point(s.target_ts, s.mean))]) }),
  );
}

/** What the chart shows, in words. */
function told(name, past, steps, levels, numbers) {
  const values = past.map(({ value }) => value);
  const seen = past.length
    ? `${count(past.length, "observation")} from ${numbers.tell(Math.min(...values))} to ${numbers.tell(Math.max(...values))}, the last ${numbers.tell(values.at(-1))}`
    : "no observation";
  const end = steps.at(-1);
  if (!end) return `${name}: ${seen}; no forecast`;
  const band = levels.length ? `, ${levelTold(levels[0])} between ${numbers.span(end.intervals[levels[0]])}` : "";
  return `${name}: ${seen}; forecast ${numbers.tell(steps[0].mean)} next, ${numbers.tell(end.mean)} after ${count(steps.length, "step")}${band}`;
}

function timesOf(past, steps) {
  const times = [past[0]?.ts, past.at(-1)?.ts, steps[0]?.target_ts, steps.at(-1)?.target_ts]
    .filter(Boolean)
    .map(Date.parse);
  return [Math.min(...times), Math.max(...times)];
}

/**
 * From the lowest to the highest of lines and bands; a band so wide that it would flatten the rest is cut, and what
 * differs by less than `least` is drawn flat.
 */
function rangeOf(past, steps, levels, least) {
  const lines = [...past.map(({ value }) => value), ...steps.map(({ mean }) => mean)];
  const [low, high] = [Math.min(...lines), Math.max(...lines)];
  const room = 1.5 * (high - low || Math.abs(high) || 1);
  const ends = steps.flatMap((step) => levels.flatMap((level) => step.intervals[level]));
  const from = Math.max(low - room, Math.min(low, ...ends));
  const to = Math.min(high + room, Math.max(high, ...ends));
  return to - from < least ? [low, low] : [from, to];
}

function scale([from, to], start, end) {
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

function path(points) {
  return `M${points.join("L")}`;
}
