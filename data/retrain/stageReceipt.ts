import pMap from 'p-map';
import { z } from 'zod';
import { putJsonOnce, readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { decisionKey, stageReceiptKey } from './retrainLayout.ts';
import { STAGES } from './stages.ts';

const receiptSchema = z.object({
  stage: z.enum(STAGES),
  /** `done` by this run, `reused` from an earlier one, or `skipped`: not asked for. */
  state: z.enum(['done', 'reused', 'skipped']),
  /** URI of the folder of what was made; null where nothing was. */
  artifact: z.string().nullable(),
  /** What it came to, in a few words for people. */
  summary: z.string(),
  endedAt: z.iso.datetime(),
  /** Of the stage in this run, and units of its work (images, questions): what an estimate of the next run is made of. */
  seconds: z.number(),
  units: z.number(),
});

/** That a stage of a retraining run is over. */
export type StageReceipt = z.infer<typeof receiptSchema>;

/** Receipts of the stages that are over, in order. */
export async function readStageReceipts(output: ObjectStore): Promise<StageReceipt[]> {
  const receipts = await pMap(STAGES, async (stage) => {
    const json = await readJsonIfThere(output, stageReceiptKey(stage));
    return json === undefined ? [] : [receiptSchema.parse(json)];
  });
  return receipts.flat();
}

/**
 * Notes that a stage is over. One that this run has ended before, with the same artifact, stays as it was noted: what it
 * made is not `reused` because the run was resumed.
 */
export async function putStageReceipt(output: ObjectStore, receipt: StageReceipt): Promise<StageReceipt> {
  const key = stageReceiptKey(receipt.stage);
  const before = receiptSchema.optional().parse(await readJsonIfThere(output, key));
  if (before && before.artifact === receipt.artifact && receipt.state === 'reused') return before;
  await output.put(key, JSON.stringify(receipt, null, 1), { contentType: 'application/json' });
  return receipt;
}

const decisionSchema = z.object({
  approved: z.boolean(),
  /** Who decided, as they say. */
  by: z.string(),
  reason: z.string(),
  decidedAt: z.iso.datetime(),
});

/** What became of a candidate that waited for approval. */
export type Decision = z.infer<typeof decisionSchema>;

/** The decision about the candidate of an evaluation (its folder's URI); undefined where there is none yet. */
export const readDecision = async (output: ObjectStore, evaluation: string): Promise<Decision | undefined> =>
  decisionSchema.optional().parse(await readJsonIfThere(output, decisionKey(evaluation)));

/** Of two decisions the first counts; returns that one. */
export const putDecision = (output: ObjectStore, evaluation: string, decision: Decision): Promise<Decision> =>
  putJsonOnce(output, decisionKey(evaluation), decision, () => readDecision(output, evaluation));
