// The promises of writes that nobody waited for. Knows no peer.
export class Pending {
  private promises: PromiseLike<unknown>[] = [];

  add(promise: PromiseLike<unknown>): void {
    this.promises.push(promise);
  }

  async settled(): Promise<void> {
    const promises = this.promises;
    this.promises = [];
    await Promise.all(promises);
  }
}
