import { Shared } from '../../activities/shared.ts';
import type {
  SharedEncoder,
  SharedScorer,
  TrainerBatch,
  Training,
  TrainingDevice,
} from '../../activities/train/dependencies.ts';
import type { CallName, Calls } from './protocol.ts';

/** Sends a call to the inference thread; `transfer` are buffers that are handed over. */
export type Call = <Name extends CallName>(
  name: Name,
  parameters: Calls[Name]['parameters'],
  transfer?: ArrayBuffer[],
) => Promise<Calls[Name]['result']>;

/** {@link TrainingDevice} by calls to the inference thread. */
export class ThreadedTraining implements TrainingDevice {
  readonly fingerprint: TrainingDevice['fingerprint'];
  readonly encodeCategories: TrainingDevice['encodeCategories'];
  private readonly call: Call;
  private readonly encoders: Shared<{ batchSize: number }>;
  private readonly trainers: Shared<undefined>;
  private serial = 0;

  constructor(call: Call, inference: Pick<TrainingDevice, 'fingerprint' | 'encodeCategories'>) {
    this.call = call;
    this.fingerprint = inference.fingerprint;
    this.encodeCategories = inference.encodeCategories;
    this.encoders = new Shared((key) => call('closeEncoder', { key }));
    this.trainers = new Shared((key) => call('closeTrainer', { key }));
  }

  async activationEncoder(
    ...[key, model, trainedBlocks]: Parameters<TrainingDevice['activationEncoder']>
  ): Promise<SharedEncoder> {
    const { batchSize } = await this.encoders.use(key, () =>
      this.call('openEncoder', { key, modelDir: model.dir, trainedBlocks }),
    );
    return {
      batchSize,
      run: (pixels) => this.call('runEncoder', { key, pixels }, [pixels.buffer]),
      release: () => this.encoders.release(key),
    };
  }

  async startTraining(
    ...[key, setup, state]: Parameters<TrainingDevice['startTraining']>
  ): Promise<Training> {
    await this.trainers.use(key, () => this.call('openTrainer', { key, setup }));
    const training = this.serial++;
    await this.call('startTraining', { training, key, state });
    return {
      step: (batch, rates) => this.call('stepTraining', { training, batch, rates }, buffersOf(batch)),
      losses: (batch) =>
        batch
          ? this.call('measureTraining', { training, batch }, buffersOf(batch))
          : this.call('measureTraining', { training }),
      state: () => this.call('readTraining', { training }),
      release: async () => {
        await this.call('endTraining', { training });
        await this.trainers.release(key);
      },
    };
  }

  async scorer(...[options, parameters]: Parameters<TrainingDevice['scorer']>): Promise<SharedScorer> {
    const scorer = this.serial++;
    const { batchSize } = await this.call('openScorer', { scorer, options, parameters });
    return {
      batchSize,
      run: (hidden) => this.call('runScorer', { scorer, hidden }, [hidden.buffer]),
      release: () => this.call('closeScorer', { scorer }),
    };
  }
}

/** The large arrays of a batch. */
const buffersOf = (batch: TrainerBatch): ArrayBuffer[] =>
  Object.values(batch)
    .filter((value) => ArrayBuffer.isView(value))
    .map(({ buffer }) => buffer as ArrayBuffer);
