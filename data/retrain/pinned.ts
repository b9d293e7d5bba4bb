import { z } from 'zod';
import { putJsonOnce, readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';

/** In a retraining's folder: what was found when it began, and must stay the same however often it is resumed. */
const PINNED = '_pinned.json';

const pinnedSchema = z.object({
  /** URI of the model that training starts from. */
  model: z.string(),
});

export type Pinned = z.infer<typeof pinnedSchema>;

export const readPinned = async (output: ObjectStore): Promise<Pinned | undefined> =>
  pinnedSchema.optional().parse(await readJsonIfThere(output, PINNED));

/** What was pinned first counts; returns that. */
export const putPinned = (output: ObjectStore, pinned: Pinned): Promise<Pinned> =>
  putJsonOnce(output, PINNED, pinned, () => readPinned(output));
