// The runs of a panel's jobs, newest first, with their reasons.

import { get } from "./api.js";
import { el, replace, setText } from "./dom.js";
import { noticeOf } from "./notice.js";
import { choice, Table } from "./table.js";
import { duration, exactly } from "./time.js";

const PAGE = 15;
const JOBS = ["fetch", "score", "refit", "forecast", "prune"];
const OUTCOMES = ["failed", "ok", "waiting", "running", "interrupted"];

export class Runs {
  /** times: how times are told in its reasons. */
  constructor(panel, times) {
    Object.assign(this, { panel, times, job: "", outcome: "", shown: PAGE });
    this.generation = 0; // of what is wanted: answers to older questions are thrown away
    this.table = new Table();
    this.message = el("div", {});
    this.none = el("p", { class: "quiet" });
    this.table.element.hidden = true;
    this.button = el("button", { type: "button", hidden: true, onclick: () => this.more() }, "Show earlier runs");
    const all = (names) => [["", "all"], ...names.map((name) => [name, name])];
    this.element = el(
      "section",
      { "aria-labelledby": "runs" },
      el(
        "div",
        { class: "row" },
        el("h2", { id: "runs" }, "Runs"),
        el(
          "div",
          { class: "choices" },
          choice("job", all(JOBS), "", (job) => this.show({ job })),
          choice("outcome", all(OUTCOMES), "", (outcome) => this.show({ outcome })),
        ),
      ),
      this.message,
      this.none,
      this.table.element,
      this.button,
    );
  }

  async load() {
    const generation = ++this.generation;
    try {
      const { runs, next } = await get("runs", {
        panel: this.panel,
        job: this.job,
        outcome: this.outcome,
        limit: this.shown,
      });
      if (generation !== this.generation) return;
      this.button.hidden = !next || this.shown >= 1000;
      replace(this.message);
      this.tell(runs);
    } catch (error) {
      if (generation !== this.generation) return;
      replace(this.message, noticeOf(error));
    }
  }

  tell(runs) {
    this.table.element.hidden = runs.length === 0;
    setText(this.none, runs.length ? "" : this.job || this.outcome ? "None like that." : "None yet.");
    const columns = [
      ["started", (run) => exactly(run.started)],
      ["job", (run) => run.job],
      ["outcome", (run) => el("span", { class: `outcome is-${run.outcome}` }, run.outcome)],
      ["took", (run) => took(run.duration_s), "n"],
      ["reason", (run) => this.times.within(run.reason), "wide"],
    ];
    this.table.fill(`The newest runs of panel ${this.panel}`, columns, runs);
  }

  show(wanted) {
    Object.assign(this, wanted, { shown: PAGE });
    this.load();
  }

  more() {
    this.shown = Math.min(1000, 3 * this.shown);
    this.load();
  }
}

function took(s) {
  if (s === null) return "–";
  if (s < 1) return `${Math.round(1000 * s)} ms`;
  return s < 10 ? `${s.toFixed(1)} s` : duration(s);
}
