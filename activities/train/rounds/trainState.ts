import { readJson } from '../../../data/run/plan.ts';
import { mergeReceiptKey, ROUNDS, roundOfKey, validationKey } from '../../../data/run/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { TrainState, Validation } from '../../../workflows/trainTypes.ts';
import { readMergeReceipt } from './roundStates.ts';

/** What a training's folder says of its rounds: those that are merged, without a gap, and all validations. */
export async function readTrainState(output: ObjectStore): Promise<TrainState> {
  const merged = new Set<number>();
  const validated: number[] = [];
  for await (const { key } of output.list({ prefix: ROUNDS })) {
    const round = roundOfKey(key);
    if (round === undefined) continue;
    if (key === mergeReceiptKey(round)) merged.add(round);
    if (key === validationKey(round)) validated.push(round);
  }
  const rounds: TrainState['rounds'] = [];
  for (let round = 1; merged.has(round); round++) {
    const { loss, images, seconds } = (await readMergeReceipt(output, round))!;
    rounds.push({ round, loss, images, seconds });
  }
  const validations: Validation[] = [];
  for (const round of validated)
    validations.push((await readJson(output, validationKey(round))) as Validation);
  return { rounds, validations };
}
