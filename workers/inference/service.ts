import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Shared } from '../../activities/shared.ts';
import type { Inference } from '../../activities/tag/dependencies.ts';
import type { TrainingDevice } from '../../activities/train/dependencies.ts';
import { Failure, messageOf } from '../../data/failure.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import { fingerprint } from './fingerprint.ts';
import type { CallName, Calls, Response, ThreadOptions } from './protocol.ts';
import { ThreadedTraining } from './trainingService.ts';

/** {@link Inference} and {@link TrainingDevice} in a thread of its own. */
export interface InferenceService extends Inference {
  readonly training: TrainingDevice;
  /** Aborted where the thread has ended without being asked to: its process can do no more work. */
  readonly lost: AbortSignal;
  /** Waits for what is running, releases the device and ends the thread. Calls after it reject. */
  close(): Promise<void>;
}

/** Starts the inference thread of a device. */
export function startInference(options: ThreadOptions): InferenceService {
  return new ThreadedInference(options);
}

class ThreadedInference implements InferenceService {
  readonly fingerprint: Readonly<Record<string, string>>;
  readonly training: TrainingDevice;
  private readonly device: DeviceOptions;
  private readonly thread: Worker;
  private readonly pending = new Map<number, PromiseWithResolvers<unknown>>();
  private readonly taggers = new Shared<{ batchSize: number }>((key) => this.call('closeTagger', { key }));
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
    const { fingerprint: versions, encodeCategories } = this;
    this.training = new ThreadedTraining(
      (name, parameters, transfer) => this.call(name, parameters, transfer),
      { fingerprint: versions, encodeCategories },
    );
    this.thread.on('exit', () => this.fail('The inference thread has ended.'));
  }

  encodeCategories: Inference['encodeCategories'] = (model, categories) =>
    this.call('encodeCategories', { modelDir: model.dir, categories });

  tagger: Inference['tagger'] = async (key, model, vocabularies, options) => {
    const { batchSize } = await this.taggers.use(key, () =>
      this.call('openTagger', { key, modelDir: model.dir, vocabularies, options }),
    );
    return {
      batchSize,
      run: (pixels) => this.call('runTagger', { key, pixels }, [pixels.buffer]),
      release: () => this.taggers.release(key),
    };
  };

  async close(): Promise<void> {
    if (this.ended) return;
    this.stopping = true;
    const exit = once(this.thread, 'exit');
    await this.call('stop', {});
    await exit;
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
