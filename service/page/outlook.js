// What was observed, what is forecast, and what was forecast before: the large chart of a series.

import { get, pathOf } from "./api.js";
import { Chart } from "./chart.js";
import { el, replace } from "./dom.js";
import { noticeOf } from "./notice.js";
import { levelsOf, number, span } from "./numbers.js";
import { drawCutoff, drawWhole } from "./overlay.js";
import { fanOf, joined, observedOf, pastOf } from "./points.js";
import { choice, details, Table } from "./table.js";
import { duration } from "./time.js";

const POINTS = 2000;
const STEPS_ASKED = 6000; // of past forecasts, all in all
const ROWS = 30;

export class Outlook {
  /** series: at a glance; times: how its times are told. */
  constructor(series, times) {
    const { horizon } = series;
    Object.assign(this, { series, times, observations: [], past: [], ahead: "1" });
    this.generation = 0; // of what is wanted: answers to older questions are thrown away
    this.shortest = Math.max(120, 6 * horizon); // steps
    this.steps = this.shortest;
    this.chart = new Chart(380, (x) => times.tell(x * 1000));
    this.message = el("div", {});
    this.next = new Table();
    this.seen = new Table();
    this.unfolds = [
      details("The forecast as a table", this.next.element),
      details("What was observed, and what was forecast, as a table", this.seen.element),
    ];
    const spans = [1, 5, 25].map((n) => [n * this.shortest, duration(n * this.shortest * times.seconds)]);
    const earlier = [...new Set([1, Math.ceil(horizon / 2), horizon])].map((n) => [
      String(n),
      n === 1 ? "1 step before" : `${n} steps before`,
    ]);
    this.element = el(
      "section",
      { "aria-labelledby": "outlook" },
      el(
        "div",
        { class: "row" },
        el("h2", { id: "outlook" }, "Observed and forecast"),
        el(
          "div",
          { class: "choices" },
          choice(
            "show",
            [...spans, ["all", "everything"]].map(([n, words]) => [String(n), words]),
            String(this.steps),
            (value) => this.show(value),
          ),
          choice("past forecasts", [...earlier, ["whole", "whole, as issued"], ["none", "none"]], this.ahead, (value) =>
            this.lay(value),
          ),
        ),
      ),
      this.message,
      this.chart.element,
      el("p", { class: "quiet hint" }, "Drag across the chart to look closer, double-click to go back."),
      this.unfolds,
    );
  }

  /** Read everything anew; the past forecasts, which are many, once the rest is drawn. */
  async load() {
    const generation = ++this.generation;
    const isCurrent = () => generation === this.generation;
    this.isLoading = true;
    try {
      const [latest, observed] = await Promise.all([
        get(pathOf(this.series.name, "/forecasts/latest")),
        this.askObservations(),
      ]);
      if (!isCurrent()) return;
      Object.assign(this, { latest, observations: observed, hasFailed: false });
      replace(this.message);
      this.draw();
      const { forecasts } = await get(pathOf(this.series.name, "/forecasts"), { limit: this.forecastsAsked });
      if (!isCurrent()) return;
      this.past = forecasts;
      this.draw();
    } catch (error) {
      if (!isCurrent()) return;
      this.hasFailed = true;
      replace(this.message, noticeOf(error));
    } finally {
      if (isCurrent()) this.isLoading = false;
    }
  }

  /** Read what is new. */
  async update(series) {
    this.series = series;
    if (this.hasFailed || this.isLoading) return this.load();
    const { generation } = this;
    const newest = this.past[0]?.issued_at ?? null;
    const [latest, past, observed] = await Promise.all([
      get(pathOf(series.name, "/forecasts/latest")),
      get(pathOf(series.name, "/forecasts"), { limit: this.forecastsAsked, issued_after: newest }),
      this.askObservations(),
    ]);
    if (generation !== this.generation) return;
    Object.assign(this, { latest, observations: observed });
    this.past = [...past.forecasts, ...this.past].slice(0, this.forecastsAsked);
    this.draw();
  }

  leave() {
    this.generation += 1;
    this.chart.leave();
  }

  get forecastsAsked() {
    const most = Math.min(1000, Math.max(10, Math.floor(STEPS_ASKED / this.series.horizon)));
    return this.steps === null ? most : Math.min(most, this.steps);
  }

  async askObservations() {
    const { newest, name } = this.series;
    if (!newest) return [];
    const start =
      this.steps === null
        ? null
        : new Date(Date.parse(newest.ts) - 1000 * this.times.seconds * this.steps).toISOString();
    return (await get(pathOf(name, "/observations"), { start, points: POINTS })).observations;
  }

  show(value) {
    this.steps = value === "all" ? null : Number(value);
    this.chart.isZoomed = false;
    this.load();
  }

  lay(value) {
    this.ahead = value;
    if (this.latest) this.draw();
  }

  draw() {
    const { latest, past, observations, ahead } = this;
    const [from, to] = [observations[0], observations.at(-1)].map((o) => (o ? Date.parse(o.ts) / 1000 : NaN));
    const levels = levelsOf(latest.steps[0]);
    const observed = observedOf(observations, POINTS);
    const fan = fanOf(latest, levels, observed);
    const step = Number(ahead);
    const before = step ? pastOf(past, step, from, to) : null;
    const { x, lines: values } = joined([observed, ...fan, ...(before ?? [])]);
    const { lines, bands } = this.linesOf(values, levels, before !== null && before[0].length > 0, x);
    const earlier = past.filter(({ issued_at }) => issued_at !== latest.issued_at);
    const cutoff = latest.cutoff && Date.parse(latest.cutoff) / 1000;
    this.chart.draw({
      x,
      lines,
      bands,
      zone: this.times.zone(this.series.newest?.ts ?? latest.cutoff ?? 0),
      label: this.told(levels),
      over: (plot) => {
        if (cutoff) drawCutoff(plot, cutoff);
        if (ahead === "whole") drawWhole(plot, earlier, from);
      },
    });
    this.chart.element.hidden = x.length < 2;
    this.tell(levels);
  }

  /** Lines and bands, in the order of `values`: observed, mean, upper and lower of each level; the past likewise. */
  linesOf(values, levels, hasPast, x) {
    const fanAt = (i) => (x[i] * 1000 > Date.parse(this.latest.cutoff) ? undefined : "–");
    const told = (upper, lower) => (i) =>
      values[upper][i] === undefined ? "–" : (fanAt(i) ?? span([values[lower][i], values[upper][i]]));
    const lines = [
      { name: "observed", kind: "observed", of: "observed", values: values[0] },
      { name: "forecast", kind: "ahead", of: "ahead", values: values[1], tell: (i) => fanAt(i) },
    ];
    const bands = [];
    levels.forEach((level, n) => {
      const upper = lines.length;
      lines.push({
        name: `${level} %`,
        kind: "edge",
        of: "ahead",
        swatch: `band-${n + 1}`,
        values: values[upper],
        tell: told(upper, upper + 1),
        isClipped: n > 0,
      });
      lines.push({ kind: "edge", of: "ahead", values: values[upper + 1], isClipped: n > 0 });
      bands.unshift([upper, upper + 1, `band-${n + 1}`]);
    });
    if (hasPast) {
      const first = lines.length;
      lines.push({
        name: `forecast ${this.ahead === "1" ? "1 step" : `${this.ahead} steps`} before`,
        kind: "past",
        of: "past",
        values: values[first],
      });
      if (values.length > first + 2) {
        const [upper, lower] = [first + 1, first + 2];
        lines.push({
          name: `its ${levels[0]} %`,
          kind: "edge",
          of: "past",
          swatch: "past-band",
          values: values[upper],
          tell: (i) => (values[upper][i] === undefined ? "–" : span([values[lower][i], values[upper][i]])),
        });
        lines.push({ kind: "edge", of: "past", values: values[lower] });
        bands.unshift([upper, lower, "past-band"]);
      }
    }
    return { lines, bands };
  }

  told(levels) {
    const { latest, observations, times } = this;
    const seen = observations.length
      ? `Observed from ${times.tell(observations[0].ts)} to ${times.tell(observations.at(-1).ts)}, the last value ${number(observations.at(-1).value)}.`
      : "Nothing observed yet.";
    const [first, last] = [latest.steps[0], latest.steps.at(-1)];
    if (!first) return `Chart of ${this.series.name}. ${seen} No forecast.`;
    const band = levels.length ? `, ${levels[0]} % between ${span(last.intervals[levels[0]])}` : "";
    return `Chart of ${this.series.name}. ${seen} Forecast for ${times.tell(first.target_ts)}: ${number(first.mean)}; for ${times.tell(last.target_ts)}: ${number(last.mean)}${band}. The tables below hold the numbers.`;
  }

  tell(levels) {
    const { latest, times } = this;
    this.unfolds[0].hidden = latest.steps.length === 0;
    this.unfolds[1].hidden = this.observations.length === 0;
    const interval = (level) => [`${level} %`, (s) => span(s.intervals[level]), "n"];
    this.next.fill(
      `Forecast of ${this.series.name}`,
      [
        ["time", (s) => times.tell(s.target_ts)],
        ["step", (s) => String(s.step), "n"],
        ["mean", (s) => number(s.mean), "n"],
        ...levels.map(interval),
        ["naive", (s) => number(s.naive), "n"],
      ],
      latest.steps,
    );
    this.tellSeen(levels);
  }

  tellSeen(levels) {
    const step = Number(this.ahead) || 1;
    const made = new Map();
    for (const { steps } of this.past.toReversed())
      if (steps[step - 1]) made.set(steps[step - 1].target_ts, steps[step - 1]);
    const of = (o, tell) => (made.has(o.ts) ? tell(made.get(o.ts)) : "–");
    const rows = this.observations.slice(-ROWS).toReversed();
    this.seen.fill(
      `The last ${rows.length} observations of ${this.series.name}`,
      [
        ["time", (o) => this.times.tell(o.ts)],
        ["observed", (o) => number(o.value), "n"],
        [`forecast ${step === 1 ? "1 step" : `${step} steps`} before`, (o) => of(o, (s) => number(s.mean)), "n"],
        ["error", (o) => of(o, (s) => number(o.value - s.mean)), "n"],
        ...levels
          .slice(0, 1)
          .map((level) => [
            `${level} %`,
            (o) => of(o, (s) => (s.intervals[level] ? span(s.intervals[level]) : "–")),
            "n",
          ]),
      ],
      rows,
    );
  }
}
