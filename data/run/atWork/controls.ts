import { z } from 'zod';
import { readJsonIfThere } from '../../store/json.ts';
import type { ObjectStore } from '../../store/store.ts';
import { CONTROLS } from '../layout.ts';

/** Settings of a run that can be changed while it is at work; what is not named stays. */
export interface ControlChange {
  /** Pieces of work (shards, pieces of features) at once, over all workers; from 1. */
  concurrency?: number;
  /** Share of failed images, in [0, 1], above which a tag run pauses. */
  maxFailureRate?: number;
}

const controlsSchema = z.object({
  version: z.literal(1),
  concurrency: z.int().positive().optional(),
  maxFailureRate: z.number().min(0).max(1).optional(),
});

/** What was changed of the run in this folder; whoever goes on with it elsewhere keeps to that. */
export async function readControls(output: ObjectStore): Promise<ControlChange> {
  const { concurrency, maxFailureRate } = controlsSchema
    .default({ version: 1 })
    .parse(await readJsonIfThere(output, CONTROLS));
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(maxFailureRate !== undefined && { maxFailureRate }),
  };
}

/** Adds to what was changed before. */
export async function writeControls(output: ObjectStore, change: ControlChange): Promise<void> {
  const controls = { version: 1, ...(await readControls(output)), ...change };
  await output.put(CONTROLS, JSON.stringify(controls), { contentType: 'application/json' });
}
