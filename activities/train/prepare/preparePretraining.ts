import { readSnapshotRows, SNAPSHOT_PIECE_ROWS } from '../../../data/dataset/snapshot.ts';
import type { TrainRecord } from '../../../data/run/record.ts';
import { snapshotFolder, SNAPSHOTS, START } from '../../../data/training/trainLayout.ts';
import { readFloats } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { Failure } from '../../../data/failure.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { initialClipParameters } from '../../../model/pretrain/initialise.ts';
import type { Parameters } from '../../../model/train/parameters.ts';
import type { TrainingDevice } from '../dependencies.ts';
import { commitPrepared, readPrepared, type Prepared } from './prepared.ts';
import { requireSnapshots, roundsOf } from './roundsOf.ts';
import { encodeMerged } from '../rounds/roundStates.ts';

export interface PreparePretrainingOptions {
  output: ObjectStore;
  /** Has the snapshots. */
  snapshots: ObjectStore;
  record: Extract<TrainRecord, { kind: 'pretrain' }>;
  /** With weights, pre-training goes on from these; without, from random ones. */
  model: ModelFolder;
  hash: string;
  device: TrainingDevice;
  /** Told how many images' captions were read. */
  report(images: number): void;
}

/** {@link prepareTraining} of a pre-training: the length of the longest texts, and the first weights. */
export async function preparePretraining(options: PreparePretrainingOptions): Promise<Prepared> {
  const { output, record, model, hash, device } = options;
  const known = await readPrepared(output);
  if (known) return known;
  const { settings } = record.spec;
  const found = await requireSnapshots(options.snapshots);
  const lengths = await longestTexts(options, {
    train: found.train.images,
    validation: found.validation.images,
  });
  await output.put(
    START,
    encodeMerged({ parameters: startParameters(model, settings.seed), momentum: new Map() }),
  );
  return commitPrepared(output, {
    version: 1,
    model: hash,
    fingerprint: { ...device.fingerprint },
    plan: roundsOf(settings, found),
    contrastive: lengths,
  });
}

async function longestTexts(
  { snapshots, model, report }: PreparePretrainingOptions,
  images: Record<(typeof SNAPSHOTS)[number], number>,
): Promise<{ captionTokens: number; mentionTokens: number }> {
  const longest = (texts: readonly string[], before: number): number =>
    texts.reduce((most, text) => Math.max(most, model.tokenizer.encode(text).length), before);
  let [captionTokens, mentionTokens, read] = [1, 1, 0];
  for (const name of SNAPSHOTS) {
    for (let from = 0; from < images[name]; from += SNAPSHOT_PIECE_ROWS) {
      const to = Math.min(images[name], from + SNAPSHOT_PIECE_ROWS);
      for (const { captions = [], mentions = [] } of await readSnapshotRows(
        snapshots,
        snapshotFolder(name),
        from,
        to,
      )) {
        captionTokens = longest(captions, captionTokens);
        // Where nothing is mentioned, a caption is taken.
        mentionTokens = longest(mentions.length > 0 ? mentions : captions, mentionTokens);
      }
      report((read += to - from));
    }
  }
  return { captionTokens, mentionTokens };
}

/** The checkpoint's weights, or random ones where it has none. Throws `Model.MissingWeight` where one is missing. */
function startParameters({ config, tensors, dir }: ModelFolder, seed: number): Parameters {
  const initial = initialClipParameters(config, seed);
  if (tensors.size === 0) return initial;
  return new Map(
    [...initial].map(([name, { shape }]) => {
      const entry = tensors.get(name);
      if (entry) return [name, { shape, values: readFloats(entry) }];
      throw new Failure('Model.MissingWeight', `${dir} has no tensor ${name}.`, {
        subject: dir,
        retryable: false,
        hint: 'Take the weights out of the folder to train from random ones.',
      });
    }),
  );
}
