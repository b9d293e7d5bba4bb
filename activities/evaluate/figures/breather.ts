import { setImmediate } from 'node:timers/promises';

/** The longest that figures are computed without a look at heartbeats and cancellation, in milliseconds. */
const INTERVAL_MS = 50;

/** What long computations call again and again: now and then it lets the event loop do its work. */
export function breather(signal: AbortSignal): () => Promise<void> {
  let breathedMs = performance.now();
  return async () => {
    if (performance.now() - breathedMs < INTERVAL_MS) return;
    await setImmediate();
    signal.throwIfAborted();
    breathedMs = performance.now();
  };
}
