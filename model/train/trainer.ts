import { Failure } from '../../data/failure.ts';
import type { DeviceOptions } from '../onnx/session.ts';
import { createAdamW, type AdamWSettings, type TrainingState } from './adamw.ts';
import type { Objective } from './objective.ts';

/** Steps of AdamW on an objective. It holds no state, so that several trainings can take turns on it. */
export interface Trainer<Batch> {
  /**
   * The state after a step on `batch`, and the losses before it. Throws `Train.NotFinite` where the loss or a gradient
   * is not a number.
   */
  step(
    state: TrainingState,
    batch: Batch,
    rates: Readonly<Record<string, number>>,
  ): Promise<{ state: TrainingState; losses: Record<string, number> }>;
  /** Losses of a batch at a state's parameters. */
  losses(state: TrainingState, batch: Batch): Promise<Record<string, number>>;
  release(): Promise<void>;
}

export async function createTrainer<Batch>(
  objective: Objective<Batch>,
  parameters: ReadonlyMap<string, { shape: readonly number[] }>,
  settings: AdamWSettings,
  device: DeviceOptions,
): Promise<Trainer<Batch>> {
  const optimiser = await createAdamW(parameters, settings, device);
  return {
    async step(state, batch, rates) {
      const { losses, gradients } = await objective.gradients(state.parameters, batch);
      refuseNotFinite(losses, `In step ${state.step + 1}`);
      const next = await optimiser.update(state, gradients, rates);
      if (!Number.isFinite(next.gradientNorm))
        throw notFinite("the gradients' norm", next.gradientNorm, `In step ${state.step + 1}`);
      return { state: next.state, losses: { ...losses, gradientNorm: next.gradientNorm } };
    },
    losses: async ({ parameters: own }, batch) => (await objective.gradients(own, batch)).losses,
    async release() {
      await objective.release();
      await optimiser.release();
    },
  };
}

/** Throws `Train.NotFinite` where one of the losses is not a number; `when` begins the message. */
export function refuseNotFinite(losses: Readonly<Record<string, number>>, when: string): void {
  const broken = Object.entries(losses).find(([, value]) => !Number.isFinite(value));
  if (broken) throw notFinite(`the ${broken[0]}`, broken[1], when);
}

function notFinite(what: string, value: number, when: string): Failure {
  return new Failure('Train.NotFinite', `${when}, ${what} is ${value}.`, {
    retryable: false,
    hint: 'Lower the learning rates, or set clipNorm.',
  });
}
