// The lines and bands of the large chart, with what each tells under the pointer.

import { count, levelTold } from "./numbers.js";

/**
 * values: of what was observed, then the latest forecast's mean, upper and lower of each level; then likewise of what
 * was forecast `past` steps before, where that is laid over. isAhead(i): whether the i-th time is the forecast's.
 */
export function linesOf(values, levels, past, isAhead, numbers) {
  const within = (upper) => (i) =>
    values[upper][i] === undefined ? "–" : numbers.span([values[upper + 1][i], values[upper][i]]);
  const ahead = (tell) => (i) => (isAhead(i) ? tell?.(i) : "–"); // it is drawn from the observation it sets out from
  const lines = [
    { name: "observed", kind: "observed", of: "observed", values: values[0] },
    { name: "forecast", kind: "ahead", of: "ahead", values: values[1], tell: ahead() },
  ];
  const bands = [];
  const addBand = (name, of, swatch, isClipped, scope) => {
    const upper = lines.length;
    const edge = { kind: "edge", of, isClipped };
    lines.push({ ...edge, name, swatch, values: values[upper], tell: scope(within(upper)) });
    lines.push({ ...edge, values: values[upper + 1] });
    bands.unshift([upper, upper + 1, swatch]);
  };
  levels.forEach((level, n) => addBand(levelTold(level), "ahead", `band-${n + 1}`, n > 0, ahead));
  if (past === null) return { lines, bands };
  const first = lines.length;
  lines.push({ name: `forecast ${count(past, "step")} before`, kind: "past", of: "past", values: values[first] });
  if (values.length > lines.length) addBand(`its ${levelTold(levels[0])}`, "past", "past-band", false, (tell) => tell);
  return { lines, bands };
}
