// A series at a glance.

import { el, replace, setText } from "./dom.js";
import { levelsOf, levelTold, Numbers } from "./numbers.js";
import { spark } from "./spark.js";
import { badge, setBadge } from "./states.js";
import { duration, Times } from "./time.js";

const HISTORY = 60;
const ARROWS = { 1: "↗", 0: "→", "-1": "↘" };

export class Card {
  constructor(series) {
    this.isVisible = false; // only then drawn
    this.isOld = false; // its forecast is not the newest: to be asked for again once it is seen
    this.link = el("a", { href: `#/series/${encodeURIComponent(series.name)}` }, series.name);
    this.badge = badge(series.status);
    this.value = el("span", { class: "value" });
    this.age = el("span", { class: "age quiet" });
    this.next = el("div", { class: "next" });
    this.chart = el("div", { class: "chart" });
    this.reason = el("p", { class: "reason" });
    this.element = el(
      "li",
      { class: "card" },
      el("div", { class: "row" }, el("h3", { title: series.name }, this.link), this.age),
      el("div", { class: "row" }, this.value, this.badge),
      this.chart,
      this.next,
      this.reason,
    );
    this.element.card = this;
    this.update(series);
  }

  /** Show what the API told. */
  update(series) {
    this.series = series;
    this.isOld = false;
    this.observedEnd = series.data_age_s === null ? null : Date.now() - 1000 * series.data_age_s;
    this.times = new Times(series.interval);
    this.tellText();
    this.isDrawn = false;
    if (this.isVisible) this.draw();
  }

  /** The series at a glance, as it is now. */
  get glance() {
    return this.observedEnd === null
      ? this.series
      : { ...this.series, data_age_s: (Date.now() - this.observedEnd) / 1000 };
  }

  /** Show what an event told, as far as it goes. True where the rest should be asked for. */
  take(event) {
    if (event.kind === "state") {
      Object.assign(this.series, { status: event.status, reason: event.reason });
      this.tellText();
    } else if (event.kind === "observation") {
      this.observe(event);
    } else if (event.kind === "forecast") {
      Object.assign(this.series, { next: event.next, ahead: event.next && [event.next] });
      this.isOld = true;
      this.tellText();
    }
    return this.isOld;
  }

  observe({ ts, value, new: added, revised }) {
    const { series } = this;
    const newest = Date.parse(ts);
    const known = series.newest ? Date.parse(series.newest.ts) : -Infinity;
    if (revised || added > 1 || newest < known) this.isOld = true;
    if (newest <= known) return;
    const toEnd = series.newest && this.observedEnd !== null ? this.observedEnd - known : 1000 * this.times.seconds;
    this.observedEnd = newest + toEnd;
    series.newest = { ts, value };
    series.history = [...(series.history ?? []), series.newest].slice(-HISTORY);
    this.tellText();
    this.isDrawn = false;
    if (this.isVisible) this.draw();
  }

  /** Come into view, or leave it. */
  show(isVisible) {
    this.isVisible = isVisible;
    if (!isVisible) return;
    if (!this.isDrawn) this.draw();
    this.tick();
  }

  /** Let the age grow. */
  tick() {
    if (this.observedEnd === null) return;
    const age = (Date.now() - this.observedEnd) / 1000;
    setText(this.age, age < 1 ? "now" : `${duration(age)} ago`);
  }

  tellText() {
    const { newest, next, status, reason } = this.series;
    this.numbers = new Numbers(this.series);
    setBadge(this.badge, status);
    setText(this.value, newest ? this.numbers.tell(newest.value) : "–");
    this.value.title = newest ? `${newest.value} at ${this.times.tell(newest.ts)}` : "";
    setText(this.age, newest ? "" : "nothing yet");
    this.tick();
    this.element.classList.toggle("is-fresh", status === "fresh");
    const why = this.times.within(reason);
    setText(this.reason, status === "fresh" ? "" : why);
    this.reason.title = why;
    this.tellNext(newest, next);
  }

  tellNext(newest, next) {
    if (!next) return setText(this.next, "no forecast");
    const [level] = levelsOf(next);
    const change = newest && this.numbers.change(newest.value, next.mean);
    replace(
      this.next,
      el(
        "p",
        {},
        "next ",
        el("strong", {}, this.numbers.tell(next.mean)),
        change && el("span", {}, " ", el("span", { "aria-hidden": "true" }, ARROWS[change.sign]), ` ${change.told}`),
        el("span", { class: "quiet" }, `, ${this.times.brief(next.target_ts)}`),
      ),
      level && el("p", { class: "quiet" }, `${levelTold(level)}: ${this.numbers.span(next.intervals[level])}`),
    );
  }

  draw() {
    this.isDrawn = true;
    const drawn = spark(this.series, this.numbers);
    if (drawn) this.chart.replaceChildren(drawn);
    else this.chart.replaceChildren(el("p", { class: "quiet" }, "nothing to draw yet"));
  }
}
