import { randomUUID } from 'node:crypto';
import { noTimes } from '../data/run/atWork/phases.ts';
import { modelOfRun } from '../data/run/runModel.ts';
import { countsOf } from '../data/run/receipt.ts';
import type { TagSpec } from '../data/run/record.ts';
import { requireTagRun } from '../data/run/requireRun.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { openModelFolder } from '../model/modelFolder.ts';
import type { ShardResult, TagActivities } from '../workflows/tag/tagTypes.ts';
import { withHeartbeat } from './activityScope.ts';
import { prepareVocabularies } from './prepare.ts';
import { modelChanged, openRun, type OpenRun, type TagDependencies } from './tag/openRun.ts';
import { tagShard, type ShardProgress } from './tag/tagShard.ts';

/** The activities of the `gpu` queue: what runs the model. */
export function createTagActivities(dependencies: TagDependencies): TagActivities {
  const { openStore, cache, inference, resolveModel } = dependencies;
  const runs = new Map<string, Promise<OpenRun>>();

  /** An opened run; only the latest is kept, as a worker seldom has shards of two runs. */
  const openedRun = (output: string, artifact: string): Promise<OpenRun> => {
    const key = `${output} ${artifact}`;
    let run = runs.get(key);
    if (!run) {
      runs.clear();
      run = openRun(openStore(output), artifact, dependencies);
      runs.set(key, run);
      run.catch(() => runs.delete(key));
    }
    return run;
  };

  return {
    prepareVocabulary: ({ output }) =>
      withHeartbeat(async () => {
        const folder = openStore(output);
        const record = await requireTagRun(folder);
        const { dir, hash } = await resolveModel(record.spec.model);
        if (record.spec.retry) await requireModelOf(openStore(record.spec.retry.parent), record.spec, hash);
        return prepareVocabularies(folder, cache, record.spec, {
          model: openModelFolder(dir),
          hash,
          inference,
        });
      }),

    tagShard: ({ output, shard, artifact }) =>
      withHeartbeat<ShardProgress, ShardResult>(async ({ signal, attempt, previous, report }) => {
        const { context, model, vocabularies } = await openedRun(output, artifact);
        const tagger = await inference.tagger(artifact, model, vocabularies, {
          embedding: context.embedding,
        });
        let last: ShardProgress | undefined;
        try {
          const options = {
            attempt: randomUUID(),
            attemptNumber: attempt,
            closed: previous?.closed ?? [],
            tagger,
            signal,
            progress: (progress: ShardProgress) => report((last = progress)),
          };
          const counts = countsOf(await tagShard(context, shard, options));
          const { phasesMs = noTimes(), failures = [] } = last ?? {};
          return { ...counts, phasesMs, failures: [...failures] };
        } finally {
          await tagger.release();
        }
      }),
  };
}

/** A retry's rows go with its parent's, so they must be of the same model. Throws `Model.Changed`. */
async function requireModelOf(parent: ObjectStore, { model }: TagSpec, hash: string): Promise<void> {
  if ((await modelOfRun(parent)).hash !== hash) throw modelChanged(model, parent);
}
