// What the large chart shows, as tables that unfold.

import { el } from "./dom.js";
import { count, levelsOf, levelTold } from "./numbers.js";
import { details, Table } from "./table.js";

const ROWS = 30;

export class Readings {
  /** name: of the series; times, numbers: how its times and numbers are told. */
  constructor(name, times, numbers) {
    Object.assign(this, { name, times, numbers });
    this.next = new Table();
    this.seen = new Table();
    this.element = el(
      "div",
      {},
      details("The forecast as a table", this.next.element),
      details("What was observed, and what was forecast, as a table", this.seen.element),
    );
  }

  /** steps: of the latest forecast; made: time → what was forecast of it `before` steps before; null: nothing is. */
  tell(steps, observations, made, before) {
    const { name, times, numbers } = this;
    const [next, seen] = this.element.children;
    const levels = levelsOf(steps[0]);
    next.hidden = steps.length === 0;
    seen.hidden = observations.length === 0;
    this.next.fill(
      `Forecast of ${name}`,
      [
        ["time", (step) => times.tell(step.target_ts)],
        ["step", (step) => String(step.step), "n"],
        ["mean", (step) => numbers.tell(step.mean), "n"],
        ...levels.map((level) => [levelTold(level), (step) => numbers.span(step.intervals[level]), "n"]),
        ["naive", (step) => numbers.tell(step.naive), "n"],
      ],
      steps,
    );
    const of = (o, tell) => (made.has(o.ts) ? tell(made.get(o.ts)) : "–");
    const band = (level) => (step) => (step.intervals[level] ? numbers.span(step.intervals[level]) : "–");
    const rows = observations.slice(-ROWS).toReversed();
    this.seen.fill(
      `The last ${rows.length} observations of ${name}`,
      [
        ["time", (o) => times.tell(o.ts)],
        ["observed", (o) => numbers.tell(o.value), "n"],
        ...(made === null
          ? []
          : [
              [`forecast ${count(before, "step")} before`, (o) => of(o, (step) => numbers.tell(step.mean)), "n"],
              ["error", (o) => of(o, (step) => numbers.tell(o.value - step.mean)), "n"],
              ...levels.slice(0, 1).map((level) => [levelTold(level), (o) => of(o, band(level)), "n"]),
            ]),
      ],
      rows,
    );
  }
}
