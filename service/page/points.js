// From the API's answers to lines over one axis. A point is [seconds since 1970, value]; a value of null ends a line.

const GAP = 5; // usual distances without a value, from which on a line is not drawn across
const WHOLE_DRAWN = 40; // of past forecasts as they were issued

/** What was observed. most: where there are so many they are a selection, whose distances say nothing. */
export function observedOf(observations, most) {
  const points = observations.map(({ ts, value }) => [at(ts), value]);
  return points.length < most / 2 ? withGaps(points) : points;
}

/** The latest forecast: mean, then upper and lower of each level. It sets out from the observation at its cutoff. */
export function fanOf({ cutoff, steps }, levels, observed) {
  const start = steps.length ? observed.filter(([x]) => x === at(cutoff)) : [];
  const line = (value) => [...start, ...steps.map((step) => [at(step.target_ts), value(step)])];
  return [
    line((step) => step.mean),
    ...levels.flatMap((level) => [line((step) => step.intervals[level][1]), line((step) => step.intervals[level][0])]),
  ];
}

/** What was forecast of each time seen, so many steps before: mean, and upper and lower of the narrowest level. */
export function pastOf(forecasts, step, from, to) {
  const made = new Map();
  for (const [ts, told] of madeBefore(forecasts, step)) if (at(ts) >= from && at(ts) <= to) made.set(at(ts), told);
  const targets = [...made.keys()].sort((a, b) => a - b);
  const level = Object.keys(made.get(targets[0])?.intervals ?? {}).sort((a, b) => a - b)[0];
  const line = (value) => withGaps(targets.map((x) => [x, value(made.get(x)) ?? null]));
  const mean = line((told) => told.mean);
  if (level === undefined) return [mean];
  return [mean, line((told) => told.intervals[level]?.[1]), line((told) => told.intervals[level]?.[0])];
}

/** Time → what was forecast of it so many steps before. */
export function madeBefore(forecasts, step) {
  const made = new Map(); // newest first, so the oldest of a target is set first and the newest stays
  for (const { steps } of forecasts.toReversed()) {
    const told = steps.find((each) => each.step === step);
    if (told) made.set(told.target_ts, told);
  }
  return made;
}

/** The forecasts that speak of times after `from`, and those of them that are drawn: all where few, else some, evenly. */
export function wholeOf(forecasts, from) {
  const seen = forecasts.filter(({ steps }) => steps.length && at(steps.at(-1).target_ts) > from);
  const every = Math.ceil(seen.length / WHOLE_DRAWN);
  return { seen, drawn: seen.filter((_, i) => i % every === 0) };
}

/** Lines over the times of all of them; where one has no point it is undefined, and drawn across. */
export function joined(lines) {
  const x = [...new Set(lines.flatMap((points) => points.map(([time]) => time)))].sort((a, b) => a - b);
  const index = new Map(x.map((time, i) => [time, i]));
  return {
    x,
    lines: lines.map((points) => {
      const values = new Array(x.length).fill(undefined);
      for (const [time, value] of points) values[index.get(time)] = value;
      return values;
    }),
  };
}

/** The points, and an end of the line where a gap begins. */
function withGaps(points) {
  const distances = points.slice(1).map(([x], i) => x - points[i][0]);
  const usual = distances.toSorted((a, b) => a - b)[distances.length >> 1];
  return points.flatMap((point, i) => (distances[i] > GAP * usual ? [point, [point[0] + usual, null]] : [point]));
}

function at(ts) {
  return Date.parse(ts) / 1000;
}
