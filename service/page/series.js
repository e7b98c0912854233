// The page of one series: its state, its chart, how good it has been, its models and runs.

import { Accuracy } from "./accuracy.js";
import { get, pathOf } from "./api.js";
import { el, replace, retell, setText } from "./dom.js";
import { Models } from "./models.js";
import { notice, noticeOf, sentence } from "./notice.js";
import { levelsOf, levelTold, Numbers, percent } from "./numbers.js";
import { Outlook } from "./outlook.js";
import { Runs } from "./runs.js";
import { badge, setBadge, STATES } from "./states.js";
import { throttle } from "./throttle.js";
import { due, duration, moment, rhythm, Times, ZONE } from "./time.js";

const HISTORY = 60; // observations, as a card has: from them its numbers know how they are told
const SOON = 1000;
const LATER = 5000;

export class SeriesPage {
  /** back: the address of the overview as it was wanted; known: the series at a glance, where it was there. */
  constructor(name, back, known = null) {
    this.name = name;
    this.title = `${name} – Rollcast`;
    this.badge = badge("");
    this.about = el("p", { class: "quiet" });
    this.reason = el("p", { class: "why" });
    this.facts = el("dl", { class: "facts" });
    this.body = el("div", {});
    this.element = el(
      "div",
      { class: "series" },
      el("nav", { "aria-label": "Back" }, el("a", { href: back }, "← all series")),
      el("div", { class: "row title" }, el("h1", { tabindex: "-1" }, name), this.badge),
      this.about,
      this.reason,
      this.facts,
      this.body,
    );
    this.badge.hidden = true;
    if (known) {
      this.series = known; // what one has seen already is not to be waited for
      this.tell();
    }
    this.refresh = {
      series: throttle(() => this.guarded(() => this.update()), SOON),
      accuracy: throttle(() => this.guarded(() => this.accuracy.load()), LATER),
      models: throttle(() => this.guarded(() => this.models.load()), SOON),
      runs: throttle(() => this.guarded(() => this.runs.load()), LATER),
    };
  }

  /** Read everything anew. */
  async reload() {
    try {
      this.series = await this.ask();
      this.hasFailed = false;
    } catch (error) {
      this.hasFailed = true;
      if (!this.outlook)
        replace(
          this.body,
          error.status === 404 ? notice(`There is no series ${this.name}`, error.hint) : noticeOf(error),
        );
      return;
    }
    if (this.hasLeft) return;
    this.tell();
    if (!this.outlook) this.build();
    await this.outlook.load(); // what one comes for is not to wait for the rest
    if (this.hasLeft) return;
    await Promise.all([this.accuracy.load(), this.models.load(), this.runs.load()]);
  }

  /** An event of the stream. */
  take(event) {
    if (!this.outlook) {
      if (event.series === this.name) this.reload();
      return;
    }
    if (event.panel !== this.series.panel) return;
    this.refresh.runs();
    if (event.kind === "refit") this.refresh.models();
    if (event.kind === "refit" || event.series === this.name)
      this.refresh[event.kind === "score" ? "accuracy" : "series"]();
  }

  /** Once a second: let ages grow. */
  tick() {
    if (this.series) this.tellFacts();
  }

  leave() {
    this.hasLeft = true;
    this.outlook?.leave();
    this.accuracy?.leave();
  }

  build() {
    const { times } = this;
    this.outlook = new Outlook(this.series, times, this.numbers);
    this.accuracy = new Accuracy(this.name, this.numbers);
    this.models = new Models(this.name, times);
    this.runs = new Runs(this.series.panel, times);
    replace(
      this.body,
      [this.outlook, this.accuracy, this.models, this.runs].map((part) => part.element),
    );
  }

  ask() {
    return get(pathOf(this.name), { history: HISTORY });
  }

  async update() {
    this.series = await this.ask();
    if (this.hasLeft) return;
    this.tell();
    await this.outlook.update(this.series);
  }

  /** Do it while the page is there; where nobody answers, the stream says so. */
  async guarded(work) {
    if (this.hasLeft) return;
    try {
      await work();
    } catch (error) {
      if (!error.hint && !error.status) throw error;
      this.hasFailed = true;
    }
  }

  tell() {
    const { panel, interval, horizon, status, reason, newest } = this.series;
    this.toldAt = Date.now();
    this.times ??= new Times(interval);
    this.numbers ??= new Numbers(this.series);
    this.numbers.learn(this.series);
    this.badge.hidden = false;
    setBadge(this.badge, status);
    const days =
      newest && this.times.daily && this.times.zone(newest.ts) === "UTC" && ZONE !== "UTC"
        ? " · its days are told as its source dates them"
        : "";
    setText(
      this.about,
      `panel ${panel} · ${rhythm(interval)} · ${horizon} steps ahead (${duration(horizon * this.times.seconds)})${days}`,
    );
    const { subject = "", advice, command } = STATES[status] ?? {};
    retell(
      this.reason,
      sentence(`${subject}${this.times.within(reason)}`),
      advice && [" ", advice],
      command && [" ", el("code", {}, command(panel))],
    );
    this.reason.className = `why is-${status}`;
    this.tellFacts();
  }

  tellFacts() {
    const {
      newest,
      data_age_s: age,
      next,
      model,
      model_version: version,
      score_7d: score,
      last_refit: last,
      next_refit: refit,
    } = this.series;
    const [level] = levelsOf(next);
    const facts = [
      [
        "Newest value",
        newest ? this.numbers.tell(newest.value) : "–",
        newest
          ? `${this.times.brief(newest.ts)}, ${duration(age + (Date.now() - this.toldAt) / 1000)} ago`
          : "nothing observed yet",
        newest?.value,
      ],
      [
        "Next forecast",
        next ? this.numbers.tell(next.mean) : "–",
        next
          ? [
              this.times.brief(next.target_ts),
              level && `, ${levelTold(level)}: `,
              level && el("span", { class: "figure" }, this.numbers.span(next.intervals[level])),
            ]
          : "none yet",
        next?.mean,
      ],
      [
        "Against the naive",
        against(score),
        score.scored_steps ? "mean absolute error, 7 days" : "nothing scored in 7 days",
      ],
      [
        "Model",
        model ? `${model} v${version}` : "–",
        last ? `last refit ${moment(last.ended ?? last.started)}` : "no refit yet",
      ],
      ["Next refit", refit ? due(refit) : "–", refit ? moment(refit) : "none is due"],
    ];
    if (!this.facts.children.length)
      replace(
        this.facts,
        facts.map(([name]) =>
          el("div", {}, el("dt", {}, name), el("dd", { class: "value" }), el("dd", { class: "quiet" })),
        ),
      );
    facts.forEach(([, value, more, exact], i) => {
      const [, shown, told] = this.facts.children[i].children;
      setText(shown, value);
      shown.title = exact ?? "";
      retell(told, more);
    });
  }
}

function against({ skill }) {
  if (skill === null) return "–";
  if (skill === 0) return "the same";
  return `${percent(Math.abs(skill))} ${skill > 0 ? "better" : "worse"}`;
}
