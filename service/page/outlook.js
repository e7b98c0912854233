// What was observed, what is forecast, and what was forecast before: the large chart of a series.

import { get, pathOf } from "./api.js";
import { Chart } from "./chart.js";
import { el, replace, setText } from "./dom.js";
import { linesOf } from "./lines.js";
import { noticeOf } from "./notice.js";
import { count, levelsOf, levelTold } from "./numbers.js";
import { drawCutoff, drawWhole } from "./overlay.js";
import { fanOf, joined, madeBefore, observedOf, pastOf, wholeOf } from "./points.js";
import { Readings } from "./readings.js";
import { choice } from "./table.js";
import { duration } from "./time.js";

const POINTS = 2000;
const MOST = 1000; // past forecasts of an answer
const STEPS_ASKED = 6000; // of past forecasts as a whole, all in all

export class Outlook {
  /** series: at a glance; times, numbers: how its times and numbers are told. */
  constructor(series, times, numbers) {
    const { horizon } = series;
    Object.assign(this, { series, times, numbers, observations: [], ahead: "1" });
    this.past = null; // the past forecasts that were asked for: {ahead, forecasts, isCut}
    this.generation = 0; // of what is wanted: answers to older questions are thrown away
    this.shortest = Math.max(120, 6 * horizon); // steps
    this.steps = this.shortest;
    this.chart = new Chart(
      380,
      (x) => times.tell(x * 1000),
      (y) => numbers.tell(y),
    );
    this.readings = new Readings(series.name, times, numbers);
    this.message = el("div", {});
    this.none = el("p", { class: "quiet" }); // why nothing is drawn
    this.lacks = el("p", { class: "quiet lacks" }); // what is not drawn of what was chosen
    this.hint = el("p", { class: "quiet hint" }, "Drag across the chart to look closer, double-click to go back.");
    const spans = [1, 5, 25].map((n) => [n * this.shortest, duration(n * this.shortest * times.seconds)]);
    const earlier = [...new Set([1, Math.ceil(horizon / 2), horizon])].map((n) => [
      String(n),
      `${count(n, "step")} before`,
    ]);
    this.choices = el(
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
    );
    this.element = el(
      "section",
      { "aria-labelledby": "outlook" },
      el("div", { class: "row" }, el("h2", { id: "outlook" }, "Observed and forecast"), this.choices),
      this.message,
      this.none,
      this.chart.element,
      this.lacks,
      this.hint,
      this.readings.element,
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
      const past = await this.askPast();
      if (!isCurrent()) return;
      this.past = past;
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
    const known = this.past.forecasts;
    const [latest, past, observed] = await Promise.all([
      get(pathOf(series.name, "/forecasts/latest")),
      this.askPast(known[0]?.issued_at),
      this.askObservations(),
    ]);
    if (generation !== this.generation) return;
    const all = [...past.forecasts, ...known];
    const isCut = this.past.isCut || past.isCut || all.length > this.mostPast;
    this.past = { ...past, forecasts: all.slice(0, this.mostPast), isCut };
    Object.assign(this, { latest, observations: observed });
    this.draw();
  }

  leave() {
    this.generation += 1;
    this.chart.leave();
  }

  /** Of past forecasts: twice as many as there are steps, for one may have been made again; but of whole ones few. */
  get mostPast() {
    const { horizon } = this.series;
    const steps = this.steps ?? Infinity;
    if (this.ahead !== "whole") return Math.min(MOST, 2 * (steps + Number(this.ahead)));
    return Math.min(MOST, steps + horizon, Math.max(10, Math.floor(STEPS_ASKED / horizon)));
  }

  /** The newest of the past forecasts that were chosen: as a whole, or one step of each. */
  async askPast(after = null) {
    const { ahead } = this;
    if (ahead === "none") return { ahead, forecasts: [], isCut: false };
    const { forecasts, next } = await get(pathOf(this.series.name, "/forecasts"), {
      step: ahead === "whole" ? null : ahead,
      limit: this.mostPast,
      issued_after: after,
    });
    return { ahead, forecasts, isCut: next !== null };
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
    this.load();
  }

  draw() {
    const { latest, past, observations, numbers } = this;
    const [from, to] = [observations[0], observations.at(-1)].map((o) => (o ? Date.parse(o.ts) / 1000 : NaN));
    const levels = levelsOf(latest.steps[0]);
    const observed = observedOf(observations, POINTS);
    const step = Number(past?.ahead) || null;
    const before = step && pastOf(past.forecasts, step, from, to);
    const isOver = before !== null && before[0].length > 0;
    const earlier = past?.forecasts.filter(({ issued_at }) => issued_at !== latest.issued_at);
    const whole = past?.ahead === "whole" ? wholeOf(earlier, from) : null;
    const { x, lines: values } = joined([observed, ...fanOf(latest, levels, observed), ...(isOver ? before : [])]);
    const cutoff = latest.cutoff && Date.parse(latest.cutoff) / 1000;
    const { lines, bands } = linesOf(values, levels, isOver ? step : null, (i) => x[i] > cutoff, numbers);
    const isEmpty = x.length < 2;
    this.chart.element.hidden = this.choices.hidden = this.hint.hidden = isEmpty;
    setText(this.none, !isEmpty ? "" : observations.length ? "Too little to draw yet." : "Nothing observed yet.");
    this.chart.draw({
      x,
      lines,
      bands,
      least: numbers.least,
      zone: this.times.zone(this.series.newest?.ts ?? latest.cutoff ?? 0),
      label: this.told(levels),
      over: (plot) => {
        if (cutoff) drawCutoff(plot, cutoff);
        if (whole) drawWhole(plot, whole.drawn);
      },
      marks: whole?.drawn.length ? [{ name: "forecasts as issued", of: "past" }] : [],
    });
    setText(this.lacks, past && !isEmpty ? this.lacking(step, isOver ? before[0] : [], whole, from) : "");
    const told = whole ? 1 : step;
    this.readings.tell(latest.steps, observations, told && madeBefore(past.forecasts, told), told);
  }

  /** What is not drawn of what was chosen, in words. */
  lacking(step, points, whole, from) {
    const { forecasts, isCut } = this.past;
    if (whole && !whole.seen.length) return "No earlier forecast speaks of these times.";
    if (
      whole &&
      (whole.drawn.length < whole.seen.length || (isCut && Date.parse(forecasts.at(-1).issued_at) > 1000 * from))
    )
      return `${whole.drawn.length} of the newest ${count(whole.seen.length, "forecast")} are drawn.`;
    if (!step || !this.observations.length) return "";
    if (!points.length) return `None was made ${count(step, "step")} before any of these times.`;
    return isCut && points[0][0] > from ? `Only the newest ${count(forecasts.length, "forecast")} are drawn.` : "";
  }

  told(levels) {
    const { latest, observations, times, numbers } = this;
    const seen = observations.length
      ? `Observed from ${times.tell(observations[0].ts)} to ${times.tell(observations.at(-1).ts)}, the last value ${numbers.tell(observations.at(-1).value)}.`
      : "Nothing observed yet.";
    const [first, last] = [latest.steps[0], latest.steps.at(-1)];
    if (!first) return `Chart of ${this.series.name}. ${seen} No forecast.`;
    const band = levels.length ? `, ${levelTold(levels[0])} between ${numbers.span(last.intervals[levels[0]])}` : "";
    return `Chart of ${this.series.name}. ${seen} Forecast for ${times.tell(first.target_ts)}: ${numbers.tell(first.mean)}; for ${times.tell(last.target_ts)}: ${numbers.tell(last.mean)}${band}. The tables below hold the numbers.`;
  }
}
