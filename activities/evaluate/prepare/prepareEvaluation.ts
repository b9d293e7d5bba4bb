import { requireIndex, snapshotPlace } from '../../../data/evaluation/evaluationSnapshots.ts';
import { BASELINES, type Baseline, type System } from '../../../data/evaluation/systems.ts';
import type { EvaluateRecord } from '../../../data/run/record.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { HeadSettings } from '../../../model/clip/config.ts';
import { openModelFolder } from '../../../model/modelFolder.ts';
import type { EvaluatePlan } from '../../../workflows/evaluate/evaluateTypes.ts';
import { prepareVocabulary, readCategories } from '../../prepare.ts';
import type { TagDependencies } from '../../tag/openRun.ts';
import { commitPrepared, readPrepared, stripesOf, type ScorerPlan } from './prepared.ts';

/** Makes the vocabularies of all models, as tagging does, and decides how the evaluation is cut up. */
export async function prepareEvaluation(
  output: ObjectStore,
  record: EvaluateRecord,
  dependencies: TagDependencies,
): Promise<EvaluatePlan> {
  const known = await readPrepared(output);
  if (known) return known.plan;
  const { spec } = record;
  const { cache, inference, openStore, resolveModel } = dependencies;

  const asked = { name: null, categories: spec.vocabulary, graph: spec.graph };
  const scorer = async (uri: string, systems: System[], isTrainingFree: boolean): Promise<ScorerPlan> => {
    const { dir, hash } = await resolveModel(uri);
    const folder = openModelFolder(dir);
    // Without a head no graph is asked for, only text features.
    const model = isTrainingFree ? { ...folder, head: undefined } : folder;
    return {
      systems,
      model: uri,
      hash,
      vocabulary: await prepareVocabulary(output, cache, asked, { model, hash, inference }),
      trainingFree: isTrainingFree ? trainingFree(folder.config.c2srt, spec.settings.patches) : null,
    };
  };
  const scorers = [await scorer(spec.model, ['candidate'], false)];
  if (spec.production !== null) scorers.push(await scorer(spec.production, ['production'], false));
  if (spec.settings.baselines) scorers.push(await scorer(spec.base ?? spec.model, [...BASELINES], true));

  const imagesOf = async (name: 'test' | 'validation'): Promise<number> => {
    const place = snapshotPlace(output, spec, name, openStore);
    return place ? (await requireIndex(place)).images : 0;
  };
  const categories = await readCategories(output);
  const { plan } = await commitPrepared(output, {
    version: 1,
    plan: {
      images: await imagesOf('test'),
      validationImages: await imagesOf('validation'),
      shardSize: spec.settings.shardSize,
      stripes: stripesOf(categories.length),
    },
    scorers,
  });
  return plan;
}

/** How the baselines choose patches, in the order of {@link BASELINES}; temperature and the like are the model's. */
function trainingFree(settings: HeadSettings, patches: number): HeadSettings[] {
  const choices: Record<Baseline, Partial<HeadSettings>> = {
    clip: { isr: 'off' },
    'clip-isr': { isr: 'adaptive' },
    'fixed-k': { isr: 'fixed', patches },
  };
  return BASELINES.map((baseline) => ({ ...settings, ...choices[baseline] }));
}
