// A simulated machine: processes with pids that are used again, and a boot that ends them all. What the fs backend's lock asks.
// Knows no disk and no time.
import type { Processes, ProcessId } from '../../backends/fs';
import type { Random } from './random';

/** Few, so that a pid comes back soon with another process behind it. */
const pids = 3;

export class Machine {
  private boots = 0;
  private started = 0;
  private readonly running = new Map<number, string>();

  constructor(private readonly random: Random) {}

  /** Starts a process. @returns what it knows of itself and of others. */
  spawn(): Processes & { end(): void } {
    let pid = 2 + this.random.below(pids);
    while (this.running.has(pid)) pid++;
    const id: ProcessId = { pid, start: `tick ${this.started++}`, host: 'simulated', boot: `boot ${this.boots}` };
    this.running.set(pid, id.start);
    return {
      self: () => id,
      isAlive: (other) => other.boot === `boot ${this.boots}` && this.running.get(other.pid) === other.start,
      end: () => {
        if (this.running.get(pid) === id.start) this.running.delete(pid);
      },
    };
  }

  losePower(): void {
    this.running.clear();
    this.boots++;
  }
}
