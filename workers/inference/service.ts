import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Inference, SharedTagger } from '../../activities/tag/dependencies.ts';
import { Failure, messageOf } from '../../data/failure.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import { fingerprint } from './fingerprint.ts';
import type { CallName, Calls, Response, ThreadOptions } from './protocol.ts';

/** Taggers without users that are kept open, for the next shard or run. */
const IDLE_TAGGERS = 1;

/** {@link Inference} in a thread of its own. */
export interface InferenceService extends Inference {
  /** Aborted where the thread has ended without being asked to: its process can do no more work. */
  readonly lost: AbortSignal;
  /** Waits for what is running, releases the device and ends the thread. Calls after it reject. */
  close(): Promise<void>;
}

interface OpenTagger {
  opened: Promise<{ batchSize: number }>;
  users: number;
}

/** Starts the inference thread of a device. */
export function startInference(options: ThreadOptions): InferenceService {
  return new ThreadedInference(options);
}

class ThreadedInference implements InferenceService {
  readonly fingerprint: Readonly<Record<string, string>>;
  private readonly device: DeviceOptions;
  private readonly thread: Worker;
  private readonly pending = new Map<number, PromiseWithResolvers<unknown>>();
  /** In order of last use. */
  private readonly taggers = new Map<string, OpenTagger>();
  private serial = 0;
  private readonly loss = new AbortController();
  private stopping = false;
  private ended: Failure | undefined;

  constructor(options: ThreadOptions) {
    this.device = options.device;
    this.fingerprint = fingerprint(options.device.provider);
    const entry = import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js';
    this.thread = new Worker(new URL(entry, import.meta.url), { workerData: options });
    this.thread.on('message', (response: Response) => this.settle(response));
    this.thread.on('error', (error) => this.fail(`The inference thread failed: ${messageOf(error)}`));
    this.thread.on('exit', () => this.fail('The inference thread has ended.'));
  }

  encodeCategories: Inference['encodeCategories'] = (model, categories) =>
    this.call('encodeCategories', { modelDir: model.dir, categories });

  tagger: Inference['tagger'] = async (key, model, vocabulary, { embedding }) => {
    const known = this.taggers.get(key);
    const tagger = known ?? {
      opened: this.call('openTagger', { key, modelDir: model.dir, vocabulary, embedding }),
      users: 0,
    };
    tagger.users++;
    this.taggers.delete(key);
    this.taggers.set(key, tagger);
    try {
      const { batchSize } = await tagger.opened;
      return this.share(key, tagger, batchSize);
    } catch (error) {
      if (this.taggers.get(key) === tagger) this.taggers.delete(key);
      throw error;
    }
  };

  async close(): Promise<void> {
    if (this.ended) return;
    this.stopping = true;
    const exit = once(this.thread, 'exit');
    await this.call('stop', {});
    await exit;
  }

  private share(key: string, tagger: OpenTagger, batchSize: number): SharedTagger {
    return {
      batchSize,
      run: (pixels) => this.call('runTagger', { key, pixels }, [pixels.buffer]),
      release: async () => {
        tagger.users--;
        const idle = [...this.taggers].filter(([, { users }]) => users === 0);
        for (const [idleKey] of idle.slice(0, Math.max(0, idle.length - IDLE_TAGGERS))) {
          this.taggers.delete(idleKey);
          await this.call('closeTagger', { key: idleKey });
        }
      },
    };
  }

  private call<Name extends CallName>(
    name: Name,
    parameters: Calls[Name]['parameters'],
    transfer: ArrayBuffer[] = [],
  ): Promise<Calls[Name]['result']> {
    if (this.ended) return Promise.reject(this.ended);
    const id = this.serial++;
    const answer = Promise.withResolvers<unknown>();
    this.pending.set(id, answer);
    this.thread.postMessage({ id, name, parameters }, transfer);
    return answer.promise as Promise<Calls[Name]['result']>;
  }

  private settle(response: Response): void {
    const answer = this.pending.get(response.id);
    this.pending.delete(response.id);
    if ('result' in response) answer?.resolve(response.result);
    else {
      const { code, message, ...details } = response.error;
      answer?.reject(new Failure(code, message, details));
    }
  }

  get lost(): AbortSignal {
    return this.loss.signal;
  }

  private fail(message: string): void {
    this.ended ??= new Failure('Device.ThreadEnded', message, {
      retryable: true,
      hint: `Device: ${this.device.provider}.`,
    });
    for (const answer of this.pending.values()) answer.reject(this.ended);
    this.pending.clear();
    if (!this.stopping) this.loss.abort(this.ended);
  }
}
