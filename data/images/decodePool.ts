import { Failure, messageOf } from '../failure.ts';
import { imageFailure, unsupportedFormat } from './classify.ts';
import { DecodeProcess } from './decodeProcess.ts';
import { DEFAULT_IMAGE_LIMITS } from './limits.ts';
import type { Decoded } from './preprocess.ts';
import type { PreprocessConfig } from './preprocessConfig.ts';
import { sniff } from './sniff.ts';
import type { Answer } from './wire.ts';

export type { Decoded } from './preprocess.ts';

export interface DecodePoolOptions {
  /** Number of child processes, each decoding one image at a time. */
  processes: number;
  preprocess: PreprocessConfig;
  /** Largest object in bytes, inclusive. Default 64 MiB. */
  maxBytes?: number;
  /** Largest width x height of the header, inclusive. */
  maxPixels: number;
  /** Longest time one decode may take, in milliseconds; waiting in the queue does not count. */
  timeoutMs: number;
}

export interface DecodePool {
  /**
   * Decodes and preprocesses an image. `body` must not change before the promise settles. Images wait in the pool's
   * memory for a free process: keep a bounded number of promises open, `4 * size` is enough to keep every process busy.
   *
   * @throws {Failure} An `Image.*` code of codes.ts; `Decode.Unavailable` where no process can be started;
   * `Decode.Closed` after close(). An aborted signal rejects with its reason, at once.
   */
  decode(body: Uint8Array, options?: { signal?: AbortSignal }): Promise<Decoded>;
  /** Number of child processes. */
  readonly size: number;
  /** Of the processes that take images now, for diagnostics. */
  readonly pids: readonly number[];
  /** Kills the processes and waits until they are gone; decodes still open are rejected with `Decode.Closed`. */
  close(): Promise<void>;
}

/** Starts the processes (about 0.2 s until they take images) and returns at once. */
export function createDecodePool(options: DecodePoolOptions): DecodePool {
  return new ProcessPool(options);
}

interface Job {
  readonly body: Uint8Array;
  /** How often a process died on it. */
  crashes: number;
  /** Answered, failed or aborted: whatever comes of it now is dropped. */
  settled: boolean;
  resolve: (decoded: Decoded) => void;
  reject: (error: unknown) => void;
}

interface Slot {
  readonly process: DecodeProcess;
  ready: boolean;
  /** Sent and unanswered, in order: the process is at work on the first. */
  readonly inFlight: Job[];
  inFlightBytes: number;
  /** A process died on this one: it is tried here alone, before anything else. */
  suspect: Job | undefined;
  /** The job that the process was killed for. */
  expired: Job | undefined;
  /** Runs out when the process takes too long to start, or over its first job. */
  timer: NodeJS.Timeout;
}

// Enough that a process finds its next image waiting, and little enough to be cheap to send again.
const MAX_IN_FLIGHT = 4;
const MAX_IN_FLIGHT_BYTES = 4 * 2 ** 20;
// Generous: on a machine starved of CPU, a start of Node takes seconds.
const START_TIMEOUT_MS = 60_000;
const MAX_FAILED_STARTS = 5;
const RESTART_DELAY_MS = 200;

class ProcessPool implements DecodePool {
  readonly size: number;
  readonly #options: DecodePoolOptions;
  readonly #slots = new Set<Slot>();
  readonly #queue: Job[] = [];
  readonly #restarts = new Map<NodeJS.Timeout, Job | undefined>();
  /** Starts that failed since the last that did not. */
  #failedStarts = 0;
  /** Why no decode is taken any more. */
  #ended: Failure | undefined;
  readonly #gone: Promise<void>;
  #resolveGone: () => void = () => undefined;

  constructor(options: DecodePoolOptions) {
    this.size = options.processes;
    this.#options = options;
    this.#gone = new Promise((resolve) => (this.#resolveGone = resolve));
    for (let index = 0; index < this.size; index++) this.#start();
  }

  get pids(): readonly number[] {
    return [...this.#slots].flatMap(({ process, ready }) => (ready ? (process.pid ?? []) : []));
  }

  async decode(body: Uint8Array, { signal }: { signal?: AbortSignal } = {}): Promise<Decoded> {
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended;
    if (body.length === 0) throw imageFailure('Image.Empty', 'the object has no bytes');
    const maxBytes = this.#options.maxBytes ?? DEFAULT_IMAGE_LIMITS.maxBytes;
    if (body.length > maxBytes) {
      throw imageFailure('Image.TooLarge', `${body.length} bytes, the limit is ${maxBytes}`);
    }
    const { format, name } = sniff(body);
    if (!format) throw unsupportedFormat(name);

    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<Decoded>((resolve, reject) => {
        const job: Job = { body, crashes: 0, settled: false, resolve, reject };
        if (signal) {
          onAbort = () => this.#abort(job, signal.reason);
          signal.addEventListener('abort', onAbort, { once: true });
        }
        this.#queue.push(job);
        this.#dispatch();
      });
    } finally {
      if (onAbort) signal?.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.#end(new Failure('Decode.Closed', 'the decode pool was closed'));
    await this.#gone;
  }

  #abort(job: Job, reason: unknown): void {
    const at = this.#queue.indexOf(job);
    if (at >= 0) this.#queue.splice(at, 1);
    settle(job, () => job.reject(reason));
  }

  #start(suspect?: Job): void {
    const { preprocess, maxPixels } = this.#options;
    let process: DecodeProcess;
    try {
      process = new DecodeProcess(
        { preprocess, maxPixels },
        { onAnswer: (answer) => this.#onAnswer(slot, answer), onEnd: (how) => this.#onEnd(slot, how) },
      );
    } catch (error) {
      this.#startLater(messageOf(error), suspect);
      return;
    }
    const timer = setTimeout(() => process.kill(), START_TIMEOUT_MS);
    const slot: Slot = {
      process,
      ready: false,
      inFlight: [],
      inFlightBytes: 0,
      suspect,
      expired: undefined,
      timer,
    };
    this.#slots.add(slot);
  }

  #startLater(how: string, suspect: Job | undefined): void {
    if (++this.#failedStarts >= MAX_FAILED_STARTS) {
      const message = `no image can be decoded: the decoding process ended ${this.#failedStarts} times while starting (${how})`;
      if (suspect) this.#queue.push(suspect);
      const hint = 'Check that sharp is installed for this platform, and memory and process limits.';
      this.#end(new Failure('Decode.Unavailable', message, { hint }));
      return;
    }
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start(suspect);
    }, RESTART_DELAY_MS);
    this.#restarts.set(timer, suspect);
  }

  /** Sends what the processes have room for, to the least busy first. */
  #dispatch(): void {
    while (this.#queue.length > 0) {
      const body = this.#queue[0]!.body;
      let best: Slot | undefined;
      for (const slot of this.#slots) {
        if (hasRoom(slot, body.length) && (!best || slot.inFlight.length < best.inFlight.length)) best = slot;
      }
      if (!best) return;
      this.#send(best, this.#queue.shift()!);
    }
  }

  #send(slot: Slot, job: Job): void {
    slot.inFlight.push(job);
    slot.inFlightBytes += job.body.length;
    if (slot.inFlight.length === 1) slot.timer.refresh();
    slot.process.send(job.body);
  }

  #onAnswer(slot: Slot, answer: Answer): void {
    if ('ready' in answer) {
      this.#failedStarts = 0;
      slot.ready = true;
      clearTimeout(slot.timer);
      slot.timer = setTimeout(() => this.#onTimer(slot), this.#options.timeoutMs);
      if (slot.suspect?.settled) slot.suspect = undefined;
      if (slot.suspect) this.#send(slot, slot.suspect);
    } else {
      const job = slot.inFlight.shift()!;
      slot.inFlightBytes -= job.body.length;
      slot.suspect = undefined;
      // What it has been given to do next starts now.
      slot.timer.refresh();
      settle(job, () => ('decoded' in answer ? job.resolve(answer.decoded) : job.reject(answer.failure)));
    }
    this.#dispatch();
  }

  #onTimer(slot: Slot): void {
    const job = slot.inFlight[0];
    if (!job) return;
    // Timers come before input: where this thread was held up, the answer may be waiting to be read.
    setImmediate(() => {
      if (slot.inFlight[0] !== job) return;
      slot.expired = job;
      slot.process.kill();
    });
  }

  #onEnd(slot: Slot, how: string): void {
    this.#slots.delete(slot);
    clearTimeout(slot.timer);
    if (this.#ended) {
      this.#resolveIfGone();
      return;
    }
    if (!slot.ready) {
      this.#startLater(how, slot.suspect);
      return;
    }
    const [first, ...rest] = slot.inFlight;
    let suspect: Job | undefined;
    if (first && first === slot.expired) {
      const message = `decoding took longer than ${this.#options.timeoutMs} ms`;
      settle(first, () => first.reject(imageFailure('Image.Timeout', message)));
    } else if (first && slot.expired) {
      // Killed for an image that was answered after all: this one is not to blame.
      rest.unshift(first);
    } else if (first && ++first.crashes === 1) {
      suspect = first;
    } else if (first) {
      const message = `the decoding process died on it twice (${how})`;
      settle(first, () => first.reject(imageFailure('Image.Crashed', message)));
    }
    this.#queue.unshift(...rest.filter(({ settled }) => !settled));
    this.#start(suspect);
    this.#dispatch();
  }

  #end(reason: Failure): void {
    if (!this.#ended) {
      this.#ended = reason;
      const inFlight = [...this.#slots].flatMap((slot) => [slot.suspect, ...slot.inFlight]);
      for (const job of [...inFlight, ...this.#restarts.values(), ...this.#queue.splice(0)]) {
        if (job) settle(job, () => job.reject(reason));
      }
      for (const timer of this.#restarts.keys()) clearTimeout(timer);
      for (const slot of this.#slots) {
        clearTimeout(slot.timer);
        slot.process.kill();
      }
    }
    this.#resolveIfGone();
  }

  #resolveIfGone(): void {
    if (this.#slots.size === 0) this.#resolveGone();
  }
}

function hasRoom(slot: Slot, bodyBytes: number): boolean {
  if (!slot.ready || slot.suspect || slot.expired || slot.inFlight.length >= MAX_IN_FLIGHT) return false;
  return slot.inFlight.length === 0 || slot.inFlightBytes + bodyBytes <= MAX_IN_FLIGHT_BYTES;
}

function settle(job: Job, how: () => void): void {
  if (job.settled) return;
  job.settled = true;
  how();
}
