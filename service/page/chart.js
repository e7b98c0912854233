// The large charts, by uPlot: colours from the style sheet, a legend that tells the values under the pointer.

import { el, replace, setText } from "./dom.js";
import { ticks } from "./numbers.js";

const { uPlot } = window;
const DAY = 86_400;
const LINES = {
  observed: { width: 1.5 },
  ahead: { width: 2 },
  past: { width: 1.5 },
  naive: { width: 1.5, dash: [5, 4] },
  narrow: { width: 1.5 },
  wide: { width: 1.5 },
  nominal: { width: 1, dash: [2, 3] },
  edge: { width: 0 },
};

const probe = el("i", { class: "probe", hidden: true });
document.body.append(probe);
const charts = new Set();
for (const medium of ["(prefers-color-scheme: dark)", "print"])
  matchMedia(medium).addEventListener("change", () => charts.forEach((chart) => chart.plot?.redraw()));

/** A colour of the style sheet, as it is now. */
export function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

export class Chart {
  /** height in pixels; tellX(x): a time or a step in words; tellY(y): a value; tellTicks(values, step): of its axis. */
  constructor(height, tellX, tellY, tellTicks = ticks) {
    Object.assign(this, { height, tellX, tellY, tellTicks, plot: null });
    this.canvas = el("div", { class: "plot", role: "img", "aria-label": "nothing drawn yet" });
    this.legend = el("ul", { class: "legend" });
    this.element = el("div", { class: "big-chart" }, this.canvas, this.legend);
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.canvas);
    charts.add(this);
  }

  /**
   * Draw lines over x: each {name, kind, values, of, dots, isClipped}, `of` being the name of the colour; one without a
   * name has no place in the legend; one that isClipped is cut off at the edge before it flattens the others.
   * bands: [upper line, lower line, colour]. zone: of times; without one x are numbers. over(plot): draws more, `marks`
   * naming it in the legend: {name, of}. low: where the chart begins; least: what it is high at least.
   */
  draw({ x, lines, bands = [], zone = null, label, over = null, marks = [], low = null, least = 0 }) {
    this.canvas.setAttribute("aria-label", label);
    Object.assign(this, { lines, marks, over, least });
    const data = [x, ...lines.map((line) => line.values)];
    const shape = JSON.stringify([lines.map(({ kind, of }) => [kind, of]), bands, zone, low]);
    if (this.plot && shape === this.shape) {
      this.plot.setData(data, !this.isZoomed);
      if (this.isZoomed) this.plot.redraw(); // setData does, only where it sets the scales
    } else {
      const { min, max } = this.plot?.scales.x ?? {};
      this.plot?.destroy();
      this.shape = shape;
      this.plot = new uPlot(this.options(lines, bands, zone, low), data, this.canvas);
      if (this.isZoomed) this.plot.setScale("x", { min, max });
    }
    this.tellLegend();
  }

  /** Give up what the chart holds. */
  leave() {
    this.resizing.disconnect();
    this.plot?.destroy();
    charts.delete(this);
  }

  options(lines, bands, zone, low) {
    const grid = { stroke: () => colour("line"), width: 1 };
    const axis = {
      stroke: () => colour("quiet"),
      font: "12px system-ui, sans-serif",
      grid,
      ticks: { ...grid, size: 4 },
    };
    return {
      width: this.width,
      height: this.height,
      padding: [10, 24, 0, 0],
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), zone === "UTC" ? "Etc/UTC" : (zone ?? "Etc/UTC")),
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: (_plot, i) => (lines[i - 1].kind === "edge" ? 0 : 7) },
        dataIdx: (_plot, _line, i) => i, // not the nearest that has a value
      },
      scales: { x: { time: zone !== null }, y: { range: (plot, min, max) => this.range(plot, min, max, low) } },
      axes: [
        {
          ...axis,
          space: 64,
          size: zone === null ? 30 : 50,
          values: zone === null ? wholes : (plot, splits, _axis, _space, step) => timesTold(splits, step, zone),
        },
        {
          ...axis,
          values: (plot, splits, _axis, _space, step) => this.tellTicks(splits, step),
          size: (plot, values) => 18 + 7 * Math.max(3, ...(values ?? []).map((v) => v.length)),
        },
      ],
      series: [{}, ...lines.map((line) => this.line(line))],
      bands: bands.map(([upper, lower, name]) => ({ series: [upper + 1, lower + 1], fill: () => colour(name) })),
      hooks: {
        setCursor: [() => this.tellLegend()],
        setSelect: [(plot) => (this.isZoomed ||= plot.select.width > 0)],
        ready: [(plot) => plot.over.addEventListener("dblclick", () => (this.isZoomed = false))],
        draw: [(plot) => this.over?.(plot)],
      },
    };
  }

  /** From the lowest to the highest of what is seen, with room around. low: what it begins at, where that is set. */
  range(plot, min, max, low) {
    if (min === null || max === null) return [0, 1];
    const [first, last] = plot.series[0].idxs;
    const ends = this.lines
      .filter((line) => line.isClipped)
      .flatMap(({ values }) => values.slice(first, last + 1))
      .filter(Number.isFinite);
    const most = max - min || Math.abs(max) || 1; // as much again above, and below: more would flatten the rest
    let from = Math.max(min - most, Math.min(min, ...ends));
    let to = Math.min(max + most, Math.max(max, ...ends));
    if (to - from < this.least) from = to = (from + to) / 2;
    const room = 0.06 * (to - from || Math.abs(to) || 1);
    return [low ?? from - room, to + room];
  }

  line({ kind, of, values, dots, isClipped }) {
    const isAlone = values.filter((value) => value !== undefined && value !== null).length === 1;
    return {
      ...LINES[kind],
      auto: !isClipped, // whether the scale follows it
      stroke: () => (kind === "edge" ? "transparent" : colour(of)),
      points: { show: kind !== "edge" && (dots || isAlone), size: 5, fill: () => colour(of) },
    };
  }

  get width() {
    return Math.max(240, this.canvas.clientWidth || this.element.parentNode?.clientWidth || 600);
  }

  resize() {
    if (this.plot && this.plot.width !== this.width) this.plot.setSize({ width: this.width, height: this.height });
  }

  tellLegend() {
    const i = this.plot?.cursor.idx ?? null;
    const isOver = i !== null && this.plot.cursor.left >= 0;
    const named = [...this.lines.filter((line) => line.name), ...this.marks];
    const key = named.map((line) => line.name).join();
    if (this.legend.dataset.key !== key) {
      this.legend.dataset.key = key;
      replace(
        this.legend,
        el("li", { class: "at" }),
        named.map((line) =>
          el(
            "li",
            {},
            el("span", { class: `swatch of-${line.swatch ?? line.of}` }),
            line.name,
            " ",
            el("span", { class: "told" }),
          ),
        ),
      );
    }
    const [at, ...items] = this.legend.children;
    setText(at, isOver ? this.tellX(this.plot.data[0][i]) : "");
    items.forEach((item, n) => setText(item.lastChild, isOver && named[n].values ? this.told(named[n], i) : ""));
  }

  told(line, i) {
    return line.tell?.(i) ?? this.tellY(line.values[i]);
  }
}

function wholes(plot, splits) {
  return splits.map((split) => (Number.isInteger(split) ? String(split) : ""));
}

/** The labels of a time axis; where a new day or year begins, a second line names it. */
function timesTold(splits, step, timeZone) {
  const form = (options) => new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
  const day = { day: "numeric", month: "short" };
  const time = { hour: "2-digit", minute: "2-digit", ...(step < 60 && { second: "2-digit" }) };
  const [upper, lower] =
    step >= 360 * DAY
      ? [form({ year: "numeric" }), null]
      : step >= 27 * DAY
        ? [form({ month: "short" }), form({ year: "numeric" })]
        : step >= DAY
          ? [form(day), form({ year: "numeric" })]
          : [form(time), form(day)];
  let before = null;
  return splits.map((split) => {
    const date = new Date(split * 1000);
    const below = lower?.format(date) ?? null;
    const isNew = below !== before;
    before = below;
    return isNew && below ? `${upper.format(date)}\n${below}` : upper.format(date);
  });
}
