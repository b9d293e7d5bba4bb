/**
 * Lets one of a worker's shards at a time start images. Shards that share the device evenly also end together, and the
 * device then waits while all of them are committed; one after the other, a shard starts its first images when the one
 * before has started its last, and the commits hide behind that.
 */
export class Turn {
  private last: Promise<void> = Promise.resolve();

  /**
   * Waits for the turn and returns what ends it; calling that again does nothing. First come, first served.
   * Rejects with the signal's reason where that is aborted first.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const before = this.last;
    const over = Promise.withResolvers<void>();
    this.last = over.promise;
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([before, aborted.promise]);
      return over.resolve;
    } catch (error) {
      // Who waits behind this one must still wait for those before.
      before.then(over.resolve, over.resolve);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
