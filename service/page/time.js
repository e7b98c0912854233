// Times in the viewer's zone, ages and intervals.

const LOCALE = "en-GB";
const DAY = 86_400;
const UNITS = { s: 1, m: 60, h: 3600, d: DAY, w: 7 * DAY, mo: 30.4375 * DAY, y: 365 * DAY };
const NAMES = { s: "s", m: "min", h: "h", d: "days", w: "weeks", mo: "months", y: "years" };
const RHYTHM = {
  s: "every second",
  m: "every minute",
  h: "hourly",
  d: "daily",
  w: "weekly",
  mo: "monthly",
  y: "yearly",
};

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const format = (options, timeZone = ZONE) =>
  new Intl.DateTimeFormat(LOCALE, { timeZone, hourCycle: "h23", ...options });
const DATE = { day: "numeric", month: "short", year: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const SECONDS = { ...CLOCK, second: "2-digit" };
const clockFormat = format(CLOCK);
const secondsFormat = format(SECONDS);
const dayFormat = format(DATE);

const counted = (n, unit) => `${n} ${n === 1 ? NAMES[unit].replace(/s$/, "") : NAMES[unit]}`;

const TOLD = /(?:(\d{4}-\d\d-\d\d) )?(?<![\w:])(\d\d:\d\d(?::\d\d)?)Z/g; // as the daemon writes times in its texts

let skew = 0; // of the daemon's clock against this one, in milliseconds

/** Learn the daemon's time from an answer's Date, which has whole seconds. */
export function learnTime(date) {
  const told = Date.parse(date);
  if (Number.isFinite(told)) skew = Math.abs(told - Date.now()) < 2000 ? 0 : told - Date.now();
}

/** The daemon's time now, in milliseconds. */
export function now() {
  return Date.now() + skew;
}

/** A moment's time of day. */
function clock(ts) {
  return clockFormat.format(new Date(ts));
}

/** The day that it is in UTC. */
function today() {
  return new Date(now()).toISOString().slice(0, 10);
}

/** A moment with its date, left out where it is today's. */
export function moment(ts, time = clockFormat) {
  if (!ts) return "–";
  const date = new Date(ts);
  const today = dayFormat.format(now()) === dayFormat.format(date);
  return today ? time.format(date) : `${dayFormat.format(date)}, ${time.format(date)}`;
}

/** Likewise, to the second. */
export function exactly(ts) {
  return moment(ts, secondsFormat);
}

/** An interval as the API writes it, in seconds. */
function seconds(interval) {
  const [, n, unit] = /^(\d+)([a-z]+)$/.exec(interval) ?? [null, 1, "h"];
  return n * (UNITS[unit] ?? UNITS.h);
}

/** An interval in words. */
export function rhythm(interval) {
  const [, n, unit] = /^(\d+)([a-z]+)$/.exec(interval) ?? [];
  if (!(unit in NAMES)) return `every ${interval}`;
  return n === "1" ? RHYTHM[unit] : `every ${n} ${NAMES[unit]}`;
}

/** A duration in one unit, exact or within a fifth, as everywhere in Rollcast. */
export function duration(s) {
  if (s < 0) return `−${duration(-s)}`;
  const whole = Math.floor(s);
  for (const unit of ["y", "w", "d", "h", "m"]) {
    if (whole >= 3 * UNITS[unit] || (whole > 0 && whole % UNITS[unit] === 0))
      return counted(Math.round(whole / UNITS[unit]), unit);
  }
  return `${whole} s`;
}

/** In how long something is due. */
export function due(ts) {
  const ahead = (new Date(ts) - now()) / 1000;
  return ahead < 1 ? "now" : `in ${duration(ahead)}`;
}

/** How long ago something was. */
export function ago(ts) {
  return `${duration(Math.max(0, (now() - new Date(ts)) / 1000))} ago`;
}

/**
 * How the times of a series are told. A whole day is the date that its source gave it: midnight UTC stays that day's,
 * wherever the viewer is.
 */
export class Times {
  constructor(interval) {
    this.seconds = seconds(interval);
    this.daily = this.seconds >= DAY;
    const exact = this.seconds < 60 ? SECONDS : CLOCK;
    this.formats = { clock: format(exact), full: format({ ...DATE, ...exact }), day: dayFormat };
    this.utcDay = format(DATE, "UTC");
  }

  /** A time of the series. */
  tell(ts) {
    const date = new Date(ts);
    if (this.daily && date % (DAY * 1000) === 0) return this.utcDay.format(date);
    if (this.daily && clockFormat.format(date) === "00:00") return this.formats.day.format(date);
    return this.formats.full.format(date);
  }

  /** A text of the daemon's, the times in it told likewise. */
  within(text) {
    return text.replace(TOLD, (_, day, time) => (day ? this.tell(`${day}T${time}Z`) : clock(`${today()}T${time}Z`)));
  }

  /** Likewise, without the date where it is today's. */
  brief(ts) {
    if (this.daily || dayFormat.format(new Date(ts)) !== dayFormat.format(now())) return this.tell(ts);
    return this.formats.clock.format(new Date(ts));
  }

  /** The zone that a chart of the series is drawn in, given one of its times. */
  zone(ts) {
    return this.daily && new Date(ts) % (DAY * 1000) === 0 ? "UTC" : ZONE;
  }
}
