// Which jobs are not finished: an index in memory, so that nobody who looks for work has to pass all that is done. Knows ids and states.
import { isFinal, type JobStatus } from './state';

export class OpenJobs {
  private readonly open = new Map<string, JobStatus>();
  /** In order of time, with some that are finished by now. */
  private ids: string[] = [];
  /** Those before this place are finished. */
  private start = 0;

  note(id: string, status: JobStatus): void {
    if (!isFinal(status)) {
      if (!this.open.has(id)) this.insert(id);
      this.open.set(id, status);
    } else if (this.open.delete(id)) {
      while (this.start < this.ids.length && !this.open.has(this.ids[this.start]!)) this.start++;
      if (this.ids.length < 2 * this.open.size + 1024) return;
      this.ids = this.ids.filter((each) => this.open.has(each));
      this.start = 0;
    }
  }

  private insert(id: string): void {
    // Nearly always the newest of all.
    if (!(id < (this.ids.at(-1) ?? ''))) this.ids.push(id);
    else {
      const at = this.placeOf(id);
      this.ids.splice(at, 0, id);
      this.start = Math.min(this.start, at);
    }
  }

  /** The first place whose id is not less. */
  private placeOf(id: string): number {
    let low = 0;
    let high = this.ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** In order of time, from an id on. */
  *from(id: string): Generator<string> {
    for (let at = Math.max(this.start, this.placeOf(id)); at < this.ids.length; at++)
      if (this.open.has(this.ids[at]!)) yield this.ids[at]!;
  }
}
