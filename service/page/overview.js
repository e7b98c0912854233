// The overview: every series as a card, by panel; a page of them at a time, as one scrolls.

import { get, pathOf } from "./api.js";
import { Card } from "./card.js";
import { arrange, el, replace, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { notice, noticeOf } from "./notice.js";
import { whole } from "./numbers.js";
import { Group } from "./panels.js";
import { STATES, wordOf } from "./states.js";
import { Queue, throttle } from "./throttle.js";

const HISTORY = 60;
const FIRST = 30; // series: a screen of them comes sooner than a page
const PAGE = 100;
const LATER = 5000;
const AT_ONCE = 4; // a browser has six connections to an address, and the stream has one of them

export class Overview {
  /** onWanted({search, status}): called once others are wanted; onTitle(): once the title is another. */
  constructor(onWanted, onTitle) {
    this.title = "Rollcast";
    this.onTitle = onTitle;
    this.groups = new Map();
    this.cards = new Map();
    this.ordered = []; // the cards, as the API orders them
    this.panels = [];
    this.following = null; // where the next page begins
    this.generation = 0; // of what is wanted: answers to older questions are thrown away
    this.filters = new Filters(() => {
      onWanted(this.filters);
      this.load(FIRST);
    });
    this.summary = el("p", { class: "summary" });
    this.message = el("div", {});
    this.list = el("div", { class: "panels" });
    this.end = el("div", { class: "end quiet" });
    this.failure = null; // why what was asked last did not come
    this.element = el(
      "div",
      {},
      el("h1", { class: "hidden", tabindex: "-1" }, "All series"),
      this.summary,
      this.filters.element,
      this.message,
      this.list,
      this.end,
    );
    this.refetching = new Queue((card) => this.refetch(card), AT_ONCE);
    this.recount = throttle(() => this.tellPanels().catch(() => {}), LATER);
    this.relist = throttle(() => this.reload(), LATER);
    this.watchScrolling();
  }

  /** Show the series that are wanted by name and state; unless they are there already. */
  want({ search, status }) {
    const isOther = this.filters.set(search, status);
    if (isOther || this.hasFailed || !this.generation) this.load(FIRST);
  }

  /** The link to a series, where it is shown. */
  linkTo(name) {
    return this.cards.get(name)?.link;
  }

  get hasFailed() {
    return this.failure !== null;
  }

  /** Show everything anew, as much as was shown. */
  reload() {
    return this.load(Math.max(FIRST, this.ordered.length));
  }

  /** An event of the stream. */
  take(event) {
    if (event.kind === "refit") return this.recount();
    const card = this.cards.get(event.series);
    if (event.kind === "state" && this.filters.status) this.relist();
    else if (!card || event.kind === "state") this.recount();
    if (card?.take(event) && card.isVisible) this.refetching.add(card);
  }

  /** Once a second: let ages grow. */
  tick() {
    for (const card of this.visible) card.tick();
    for (const group of this.groups.values()) group.tick();
  }

  async load(wanted) {
    const generation = ++this.generation;
    const isCurrent = () => generation === this.generation;
    this.isLoading = true;
    const found = [];
    try {
      const panels = this.askPanels();
      panels.catch(() => {}); // is told below, unless the series fail first
      let next = null;
      do {
        const page = await this.askPage(next, Math.min(1000, wanted - found.length));
        found.push(...page.series);
        next = page.next;
      } while (next && found.length < wanted && isCurrent());
      if (!isCurrent()) return;
      this.following = next;
      this.failure = null;
      this.show(found);
      const told = await panels;
      if (!isCurrent()) return;
      this.panels = told;
      this.showPanels();
    } catch (error) {
      if (isCurrent()) this.fail(error);
    } finally {
      if (isCurrent()) this.isLoading = false;
      this.fillSoon();
    }
  }

  /** The next page, where there is one. */
  async more() {
    if (this.isLoading || !this.following) return;
    this.isLoading = true;
    const generation = this.generation;
    try {
      const page = await this.askPage(this.following, PAGE);
      if (generation !== this.generation) return;
      this.following = page.next;
      this.show([...this.ordered.map((card) => card.series), ...page.series], this.ordered.length);
    } catch (error) {
      if (generation === this.generation) this.fail(error);
    } finally {
      if (generation === this.generation) this.isLoading = false;
    }
  }

  fail(error) {
    this.failure = error;
    this.tellEnd();
  }

  askPage(next, limit) {
    const { search, status } = this.filters;
    return get("series", { history: HISTORY, limit, next, search, status });
  }

  async askPanels() {
    return (await get("panels")).panels;
  }

  /** Show these series; the first `known` of them are shown as they are. */
  show(found, known = 0) {
    found.slice(known).forEach((series) => {
      const card = this.cards.get(series.name);
      if (card) card.update(series);
      else this.cards.set(series.name, this.watched(new Card(series)));
    });
    this.ordered = found.map((series) => this.cards.get(series.name));
    const shown = new Set(this.ordered);
    for (const [name, card] of this.cards) if (!shown.has(card)) this.forget(name, card);
    this.showPanels();
  }

  showPanels() {
    const byPanel = Map.groupBy(this.ordered, (card) => card.series.panel);
    const known = new Map(this.panels.map((panel) => [panel.name, panel]));
    // While there are more pages to come, a panel without cards is one whose cards are on them.
    const isEmpty = (panel) => panel.series === 0 && !this.filters.isOn;
    const names = [...byPanel.keys(), ...this.panels.filter(isEmpty).map((panel) => panel.name)];
    const groups = [...new Set(names)].sort().map((name) => {
      const group = this.groups.get(name) ?? new Group(name);
      this.groups.set(name, group);
      group.fill(byPanel.get(name) ?? []);
      if (known.has(name)) group.tell(known.get(name), this.filters.isOn);
      return group;
    });
    arrange(
      this.list,
      groups.map((group) => group.element),
    );
    if (known.size) this.tellCounts();
    this.tellEnd();
  }

  async tellPanels() {
    const before = this.total;
    this.panels = await this.askPanels();
    if (this.total !== before && !this.filters.isOn) return this.reload();
    this.showPanels();
  }

  get total() {
    return this.panels.reduce((sum, panel) => sum + panel.series, 0);
  }

  tellCounts() {
    const counts = Object.fromEntries(Object.keys(STATES).map((status) => [status, 0]));
    for (const { statuses } of this.panels) {
      for (const [status, n] of Object.entries(statuses)) counts[status] = (counts[status] ?? 0) + n;
    }
    this.filters.tell(counts);
    this.summarise(counts);
  }

  /** What one wants to know in the morning, in a sentence and in the tab's title. */
  summarise(counts) {
    const odd = Object.entries(counts).filter(([status, n]) => n && status !== "fresh");
    const n = odd.reduce((sum, [, each]) => sum + each, 0);
    const words = odd.map(([status, each]) => `${whole(each)} ${wordOf(status)}`).join(", ");
    const [all, are] = this.total === 1 ? ["The", "is"] : [`All ${whole(this.total)}`, "are"];
    const some = `${whole(n)} of ${whole(this.total)} series ${n === 1 ? "is" : "are"} not fresh: ${words}.`;
    setText(this.summary, n ? some : this.total ? `${all} series ${are} fresh.` : "");
    this.title = n ? `(${whole(n)}) Rollcast` : "Rollcast";
    this.onTitle();
  }

  tellEnd() {
    const isNone = this.ordered.length === 0 && this.filters.isOn && !this.hasFailed;
    const advice = this.filters.search && "Names are searched for what you typed, wherever in them.";
    replace(
      this.message,
      isNone && notice("No series is like that", advice),
      isNone && el("p", {}, el("button", { type: "button", onclick: () => this.filters.clear() }, "Show all series")),
    );
    this.filters.tellFound(this.ordered.length, Boolean(this.following));
    if (this.hasFailed)
      return replace(
        this.end,
        noticeOf(this.failure),
        el("button", { type: "button", onclick: () => this.retry() }, "Try again"),
      );
    replace(this.end, this.following && "more as you scroll …");
  }

  retry() {
    replace(this.end, "asking again …");
    return this.reload();
  }

  async refetch(card) {
    try {
      card.update(await get(pathOf(card.series.name), { history: HISTORY }));
    } catch {
      card.isOld = true; // the stream will say that nobody answers, and what comes then brings it up to date
    }
  }

  watchScrolling() {
    this.visible = new Set();
    this.watcher = new IntersectionObserver((entries) => entries.forEach((entry) => this.scrolled(entry)), {
      rootMargin: "300px",
    });
    const sentinel = new IntersectionObserver(
      (entries) => {
        this.isAtEnd = entries.at(-1).isIntersecting;
        this.fillScreen();
      },
      { rootMargin: "1200px" },
    );
    sentinel.observe(this.end);
  }

  /** Ask for pages until what is seen is full. */
  async fillScreen() {
    if (!this.isAtEnd || this.isLoading || !this.following || this.hasFailed) return;
    await this.more();
    this.fillSoon();
  }

  /** Once what was added is laid out. */
  fillSoon() {
    requestAnimationFrame(() => requestAnimationFrame(() => this.fillScreen()));
  }

  scrolled({ target: { card }, isIntersecting }) {
    card.show(isIntersecting);
    if (!isIntersecting) return this.visible.delete(card);
    this.visible.add(card);
    if (card.isOld) this.refetching.add(card);
  }

  watched(card) {
    this.watcher.observe(card.element);
    return card;
  }

  forget(name, card) {
    this.cards.delete(name);
    this.visible.delete(card);
    this.watcher.unobserve(card.element);
  }
}
