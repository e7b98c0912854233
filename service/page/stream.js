// The event stream, read with fetch so that it can carry a token: goes on where it was cut, and says how it stands.

import { errorOf, request } from "./api.js";

const QUIET = 40_000; // a comment comes every 15 s: without one for so long nobody is there
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const HIDDEN = 30_000; // a browser has few connections to an address; a tab that nobody sees gives its own back

export class Stream {
  /** onEvent(event); onState(state), a state being {kind: live | reconnecting | gone | refused, since, message}. */
  constructor(onEvent, onState) {
    Object.assign(this, { onEvent, onState, lastId: null, failures: 0, heard: new Date(), wake: null, control: null });
    this.opened = new Promise((resolve) => (this.open = resolve)); // or has failed: what there is can be asked for now
    addEventListener("online", () => this.wake?.());
    document.addEventListener("visibilitychange", () => this.seen());
  }

  /** Read for ever. */
  async run() {
    for (;;) {
      await this.whileHidden;
      try {
        await this.read();
        this.failures = 0; // it was ended in order, as a daemon does that is started again
      } catch (error) {
        this.failed(error);
      }
      if (!this.whileHidden) await this.wait();
    }
  }

  async read() {
    this.control = new AbortController();
    const headers = { Accept: "text/event-stream", ...(this.lastId && { "Last-Event-ID": this.lastId }) };
    const resumed = this.lastId !== null;
    this.watch();
    const response = await request("api/v1/stream", { headers, signal: this.control.signal });
    if (!response.ok) throw await errorOf(response);
    this.heardNow();
    const missed = this.tried && !resumed;
    this.tried = true;
    this.failures = 0;
    this.onState({ kind: "live" });
    this.open();
    if (missed) this.onEvent({ kind: "reset" });
    await this.parse(response.body.pipeThrough(new TextDecoderStream()).getReader());
    this.onState({ kind: "reconnecting" });
  }

  async parse(reader) {
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heardNow();
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) this.take(block);
    }
  }

  take(block) {
    let kind = "message";
    const data = [];
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "id") this.lastId = value;
      else if (field === "event") kind = value;
      else if (field === "data") data.push(value);
    }
    if (data.length || kind === "reset") this.onEvent({ ...JSON.parse(data.join("\n") || "{}"), kind });
  }

  failed(error) {
    this.failures += 1;
    this.tried = true;
    if (error.status) {
      this.onState({ kind: "refused", message: [error.message, error.hint].filter(Boolean).join("; ") });
      this.open();
    } else if (!this.whileHidden) {
      this.onState({ kind: this.failures < 3 ? "reconnecting" : "gone", since: this.heard });
      this.open();
    }
  }

  heardNow() {
    this.heard = new Date();
    this.watch();
  }

  watch() {
    clearTimeout(this.alarm);
    this.alarm = setTimeout(() => this.control.abort(), QUIET);
  }

  wait() {
    const span = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.max(0, this.failures - 1)) * (0.75 + Math.random() / 2);
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, span);
    });
  }

  seen() {
    clearTimeout(this.leaving);
    if (document.hidden) {
      this.leaving = setTimeout(() => {
        this.whileHidden = new Promise((resolve) => (this.back = resolve));
        clearTimeout(this.alarm);
        this.control?.abort();
      }, HIDDEN);
    } else if (this.whileHidden) {
      this.whileHidden = null;
      this.failures = 0;
      this.onState({ kind: "reconnecting" });
      this.back();
    } else this.wake?.();
  }
}
