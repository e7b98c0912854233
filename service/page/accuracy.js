// How good the forecasts have been: errors by step beside the naive's, coverage beside what the levels promise.

import { get, pathOf } from "./api.js";
import { Chart } from "./chart.js";
import { el, replace } from "./dom.js";
import { noticeOf } from "./notice.js";
import { count, levelTold, percent, ratio, ticks, whole } from "./numbers.js";
import { choice, details, Table } from "./table.js";

const WINDOWS = [
  ["7d", "7 days"],
  ["30d", "30 days"],
  ["all", "all time"],
];
const WORDS = { "7d": "of the last 7 days", "30d": "of the last 30 days", all: "of all time" };

export class Accuracy {
  constructor(name, numbers) {
    Object.assign(this, { name, numbers, window: "7d" });
    this.generation = 0; // of what is wanted: answers to older questions are thrown away
    const step = (x) => `step ${x}`;
    this.errors = new Chart(220, step, (value) => numbers.tell(value));
    this.coverage = new Chart(220, step, percent, percentTicks);
    this.summary = el("p", {});
    this.body = el(
      "div",
      { class: "pair" },
      figure("Mean absolute error by step", this.errors),
      figure("Coverage by step", this.coverage),
    );
    this.table = new Table();
    this.details = details("By step as a table", this.table.element);
    this.message = el("div", {});
    this.element = el(
      "section",
      { "aria-labelledby": "accuracy" },
      el(
        "div",
        { class: "row" },
        el("h2", { id: "accuracy" }, "How good it has been"),
        choice("targets of", WINDOWS, this.window, (value) => this.show(value)),
      ),
      this.message,
      this.summary,
      this.body,
      this.details,
    );
  }

  async load() {
    const generation = ++this.generation;
    try {
      const { windows } = await get(pathOf(this.name, "/scores"), { window: this.window, by: "step" });
      if (generation !== this.generation) return;
      replace(this.message);
      this.draw(windows[this.window]);
    } catch (error) {
      if (generation !== this.generation) return;
      replace(this.message, noticeOf(error));
    }
  }

  leave() {
    this.generation += 1;
    this.errors.leave();
    this.coverage.leave();
  }

  show(window) {
    this.window = window;
    this.load();
  }

  draw(score) {
    const steps = score.by_step ?? [];
    const { numbers } = this;
    this.body.hidden = this.details.hidden = steps.length === 0;
    replace(this.summary, told(score, WORDS[this.window], this.numbers));
    if (!steps.length) return;
    const levels = Object.keys(score.coverage ?? {}).sort((a, b) => a - b);
    const x = steps.map(({ step }) => step);
    this.errors.draw({
      x,
      lines: [
        { name: "forecast", kind: "ahead", of: "ahead", dots: true, values: steps.map(({ mae }) => mae) },
        { name: "naive", kind: "naive", of: "naive", dots: true, values: steps.map(({ naive_mae }) => naive_mae) },
      ],
      low: 0,
      least: numbers.least,
      label: `Chart of the mean absolute error by step. Step ${x[0]}: ${numbers.tell(steps[0].mae)}, the naive's ${numbers.tell(steps[0].naive_mae)}; step ${x.at(-1)}: ${numbers.tell(steps.at(-1).mae)}, the naive's ${numbers.tell(steps.at(-1).naive_mae)}. The table below holds the numbers.`,
    });
    this.coverage.draw({
      x,
      lines: levels.flatMap((level, n) => {
        const of = n ? "wide" : "narrow";
        return [
          { name: levelTold(level), kind: of, of, dots: true, values: steps.map(({ coverage }) => coverage?.[level]) },
          { kind: "nominal", of, values: x.map(() => level / 100) },
        ];
      }),
      marks: [{ name: "nominal: what the level promises", of: "nominal" }],
      label: `Chart of the coverage by step, beside the level as a dotted line. ${levels.map((level) => `${levelTold(level)}: ${percent(score.coverage[level], 1)} over all steps`).join("; ")}. The table below holds the numbers.`,
    });
    this.tell(steps, levels);
  }

  tell(steps, levels) {
    const columns = [
      ["step", (s) => String(s.step), "n"],
      ["scored", (s) => whole(s.scored), "n"],
      ["error", (s) => this.numbers.tell(s.mae), "n"],
      ["naive", (s) => this.numbers.tell(s.naive_mae), "n"],
      ["better by", (s) => percent(s.skill), "n"],
      ["MASE", (s) => ratio(s.mase), "n"],
      ...levels.map((level) => [`in ${levelTold(level)}`, (s) => percent(s.coverage?.[level], 1), "n"]),
    ];
    this.table.fill(`Errors and coverage by step, ${WORDS[this.window]}`, columns, steps);
  }
}

function percentTicks(shares, step) {
  return ticks(
    shares.map((share) => 100 * share),
    100 * step,
  ).map(levelTold);
}

function figure(title, chart) {
  return el("div", {}, el("h3", {}, title), chart.element);
}

/** The figures over all steps, in sentences. */
function told(score, when, numbers) {
  if (!score.scored_steps) {
    const waiting = score.pending_steps
      ? ` ${count(score.pending_steps, "step")} wait for what will have happened.`
      : "";
    return `Nothing ${when} is scored yet: a forecast is, once what it spoke of has been observed.${waiting}`;
  }
  const { mae, naive_mae: naive, skill, coverage } = score;
  const held = Object.keys(coverage ?? {})
    .sort((a, b) => a - b)
    .map((level) => `the ${levelTold(level)} intervals held ${percent(coverage[level], 1)}`);
  return [
    `${count(score.scored_steps, "step")} ${when}: mean absolute error ${numbers.tell(mae)}, the naive forecast's ${numbers.tell(naive)}`,
    skill === null
      ? ". "
      : skill === 0
        ? ", the same. "
        : [", ", el("strong", {}, `${percent(Math.abs(skill))} ${skill > 0 ? "better" : "worse"}`), ". "],
    held.length > 0 && `Of what happened ${held.join(", ")}.`,
  ]
    .flat()
    .filter(Boolean);
}
