/**
 * The files of rounds. Any number of attempts may write a state under names of their own; the receipt, put under the
 * condition that there is none, says which one counts.
 */
import { z } from 'zod';
import { putJsonOnce, readJsonIfThere } from '../../../data/store/json.ts';
import {
  mergedStateKey,
  mergeReceiptKey,
  shardReceiptKey,
  shardStateKey,
  START,
} from '../../../data/training/trainLayout.ts';
import { failedImagesSchema, NO_FAILED_IMAGES } from '../../../data/training/failedImages.ts';
import { decodeSafetensors, encodeSafetensors, readFloats } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { TrainingState } from '../../../model/train/adamw.ts';
import type { Parameters } from '../../../model/train/parameters.ts';

const shardReceiptSchema = z.object({
  /** Key of the state. */
  state: z.string(),
  /** AdamW steps of the shard since training began. */
  step: z.int(),
  steps: z.int(),
  images: z.int(),
  failed: z.int(),
  /** Those images. */
  unread: failedImagesSchema.default(NO_FAILED_IMAGES),
  loss: z.number(),
  losses: z.record(z.string(), z.number()),
  seconds: z.number(),
  /** Of what computed it: docs/determinism.md. */
  fingerprint: z.record(z.string(), z.string()),
});
export type ShardReceipt = z.infer<typeof shardReceiptSchema>;

const mergeReceiptSchema = z.object({
  round: z.int(),
  state: z.string(),
  images: z.int(),
  failed: z.int(),
  /** Those images. */
  unread: failedImagesSchema.default(NO_FAILED_IMAGES),
  loss: z.number(),
  losses: z.record(z.string(), z.number()),
  seconds: z.number(),
});
export type MergeReceipt = z.infer<typeof mergeReceiptSchema>;

export const readShardReceipt = (
  output: ObjectStore,
  round: number,
  shard: number,
): Promise<ShardReceipt | undefined> =>
  readReceipt(output, shardReceiptKey(round, shard), shardReceiptSchema);

export const readMergeReceipt = (output: ObjectStore, round: number): Promise<MergeReceipt | undefined> =>
  readReceipt(output, mergeReceiptKey(round), mergeReceiptSchema);

/** Commits a shard's end of a round; returns the receipt that counts, which may be another attempt's. */
export async function commitShardState(
  output: ObjectStore,
  { round, shard, attempt }: { round: number; shard: number; attempt: string },
  state: TrainingState,
  summary: Omit<ShardReceipt, 'state' | 'step'>,
): Promise<ShardReceipt> {
  const key = shardStateKey(round, shard, attempt);
  await output.put(key, encodeState(state));
  const receipt = { ...summary, state: key, step: state.step };
  return putJsonOnce(output, shardReceiptKey(round, shard), receipt, () =>
    readShardReceipt(output, round, shard),
  );
}

/** Commits a round's merged parameters; `momentum` is the outer optimiser's. */
export async function commitMerged(
  output: ObjectStore,
  attempt: string,
  merged: { parameters: Parameters; momentum: ReadonlyMap<string, Float64Array> },
  summary: Omit<MergeReceipt, 'state'>,
): Promise<MergeReceipt> {
  const key = mergedStateKey(summary.round, attempt);
  await output.put(key, encodeMerged(merged));
  const receipt = { ...summary, state: key };
  return putJsonOnce(output, mergeReceiptKey(summary.round), receipt, () =>
    readMergeReceipt(output, summary.round),
  );
}

/** The parameters after a round (0: those that training starts from), and the outer momentum. */
export async function readMerged(
  output: ObjectStore,
  round: number,
): Promise<{ parameters: Parameters; momentum: Map<string, Float64Array> }> {
  const key = round === 0 ? START : (await readMergeReceipt(output, round))!.state;
  const parameters: Parameters = new Map();
  const momentum = new Map<string, Float64Array>();
  for (const [name, tensor] of decodeSafetensors((await output.get(key)).body, output.describeKey(key))) {
    if (name.startsWith(MOMENTUM))
      momentum.set(name.slice(MOMENTUM.length), new Float64Array(new Uint8Array(tensor.bytes).buffer));
    else parameters.set(name, { shape: tensor.shape, values: readFloats(tensor) });
  }
  return { parameters, momentum };
}

/** A shard's state at the end of a round. */
export async function readShardState(
  output: ObjectStore,
  round: number,
  shard: number,
): Promise<TrainingState> {
  const { state: key, step } = (await readShardReceipt(output, round, shard))!;
  const state: TrainingState = { parameters: new Map(), m: new Map(), v: new Map(), step };
  for (const [name, tensor] of decodeSafetensors((await output.get(key)).body, output.describeKey(key))) {
    const values = readFloats(tensor);
    const [kind, parameter] = [name.slice(0, 2), name.slice(2)];
    if (kind === 'm ') state.m.set(parameter, values);
    else if (kind === 'v ') state.v.set(parameter, values);
    else state.parameters.set(parameter, { shape: tensor.shape, values });
  }
  return state;
}

const MOMENTUM = 'outer ';

export function encodeMerged({
  parameters,
  momentum,
}: {
  parameters: Parameters;
  momentum: ReadonlyMap<string, Float64Array>;
}): Uint8Array {
  return encodeSafetensors({
    ...Object.fromEntries(parameters),
    ...Object.fromEntries(
      [...momentum].map(([name, values]) => [
        MOMENTUM + name,
        {
          shape: parameters.get(name)!.shape,
          type: 'F64' as const,
          bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
        },
      ]),
    ),
  });
}

/** Parameters as `p NAME`, moments as `m NAME` and `v NAME`. */
function encodeState({ parameters, m, v }: TrainingState): Uint8Array {
  const tensors: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
  for (const [name, { shape, values }] of parameters) {
    tensors[`p ${name}`] = { shape, values };
    tensors[`m ${name}`] = { shape, values: m.get(name)! };
    tensors[`v ${name}`] = { shape, values: v.get(name)! };
  }
  return encodeSafetensors(tensors);
}

async function readReceipt<Receipt>(
  output: ObjectStore,
  key: string,
  schema: z.ZodType<Receipt>,
): Promise<Receipt | undefined> {
  return schema.optional().parse(await readJsonIfThere(output, key));
}
