// How long the main thread is held: a loop of messages to itself that notes how late each comes. Knows no workload.

/** Shorter ones are left to the ticker itself and to the small tasks of a page, such as an event. */
const HELD_MS_MIN = 0.5;

export class Ticker {
  /** All stretches in which nothing else could run, together. */
  held = 0;
  longest = 0;
  private last = performance.now();
  private readonly channel = new MessageChannel();

  /** Begins with the rest of this turn. */
  constructor() {
    this.channel.port1.onmessage = () => {
      this.look();
      this.channel.port2.postMessage(0);
    };
    this.channel.port2.postMessage(0);
  }

  /** Ends with what has gone of this turn. */
  stop(): void {
    this.look();
    this.channel.port1.close();
  }

  private look(): void {
    const now = performance.now();
    const gap = now - this.last;
    this.last = now;
    if (gap < HELD_MS_MIN) return;
    this.held += gap;
    this.longest = Math.max(this.longest, gap);
  }
}

/** When this turn ends, microtasks and all: the time at which the next task begins. */
export function endOfTurn(): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const ended = new Promise<number>((resolve) => {
    port1.onmessage = () => {
      resolve(performance.now());
      port1.close();
    };
  });
  port2.postMessage(0);
  return ended;
}

/** Nothing more to do for a while, so that what is measured next is measured alone. */
export const quiet = (): Promise<void> =>
  new Promise((resolve) => {
    requestIdleCallback(() => setTimeout(() => requestIdleCallback(() => resolve()), 20));
  });
