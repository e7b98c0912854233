// Work that many events ask for.

/** Do `work` soon after it was asked for, and no more often than every `pause` milliseconds. */
export function throttle(work, pause) {
  let timer = null;
  let last = -Infinity;
  return () => {
    timer ??= setTimeout(
      async () => {
        last = Infinity; // not again while it is under way
        try {
          await work();
        } finally {
          last = performance.now();
          timer = null;
        }
      },
      Math.max(50, Math.min(pause, last + pause - performance.now())),
    );
  };
}

/** A queue that does a few things at a time, each once however often it is asked for meanwhile. */
export class Queue {
  constructor(work, atOnce) {
    Object.assign(this, { work, atOnce, waiting: new Set(), active: 0 });
  }

  add(thing) {
    this.waiting.add(thing);
    this.next();
  }

  next() {
    while (this.active < this.atOnce && this.waiting.size) {
      const [thing] = this.waiting;
      this.waiting.delete(thing);
      this.active += 1;
      this.work(thing).finally(() => {
        this.active -= 1;
        this.next();
      });
    }
  }
}
