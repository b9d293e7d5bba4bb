import { isSeen } from '../../../data/categories.ts';
import { snapshotPlace, type SnapshotPlace } from '../../../data/evaluation/evaluationSnapshots.ts';
import type { EvaluationSnapshot, System } from '../../../data/evaluation/systems.ts';
import { Failure } from '../../../data/failure.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import { requireEvaluateRun } from '../../../data/run/requireRun.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { scoredGroups, type ScoredGroup } from '../../../model/evaluation/topHits.ts';
import { openModelFolder } from '../../../model/modelFolder.ts';
import { readCategories, readVocabulary } from '../../prepare.ts';
import { Shared } from '../../shared.ts';
import type { SharedTagger } from '../../tag/dependencies.ts';
import { createImageLoader, type ImageLoader } from '../../train/features/imageLoader.ts';
import type { TagDependencies } from '../../tag/openRun.ts';
import { requirePrepared, type Prepared, type ScorerPlan } from '../prepare/prepared.ts';

/** A model that gives scores of one system or of several at once. */
export interface Scorer {
  systems: readonly System[];
  tagger: SharedTagger;
}

/** Scorers whose images are decoded alike. */
export interface ScorerGroup {
  loader: ImageLoader;
  /** Bytes of an image's pixels. */
  imageBytes: number;
  scorers: Scorer[];
}

/** An evaluation as its shards are scored: opened once per worker and run. */
export interface OpenEvaluation {
  output: ObjectStore;
  prepared: Prepared;
  topK: readonly number[];
  /** C */
  categories: number;
  groups: readonly ScoredGroup[];
  place(snapshot: EvaluationSnapshot): SnapshotPlace;
  /** Of all systems; of validation images the candidate's alone. */
  scorers(snapshot: EvaluationSnapshot): readonly ScorerGroup[];
  fingerprint: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Evaluations as workers open them, shared by their shards. */
export class OpenEvaluations {
  private readonly dependencies: TagDependencies;
  private readonly opened = new Shared<OpenEvaluation>((_, evaluation) => evaluation.close());

  constructor(dependencies: TagDependencies) {
    this.dependencies = dependencies;
  }

  /** Does `work` with the evaluation in this folder. */
  async with<Result>(uri: string, work: (evaluation: OpenEvaluation) => Promise<Result>): Promise<Result> {
    const record = await requireEvaluateRun(this.dependencies.openStore(uri));
    // Not by the folder alone: it may have been emptied and given to another run.
    const key = `${uri} ${record.createdAt}`;
    const evaluation = await this.opened.use(key, () => open(uri, key, this.dependencies));
    try {
      return await work(evaluation);
    } finally {
      await this.opened.release(key);
    }
  }
}

async function open(uri: string, key: string, dependencies: TagDependencies): Promise<OpenEvaluation> {
  const { openStore, inference } = dependencies;
  const output = openStore(uri);
  const { spec } = await requireEvaluateRun(output);
  const prepared = await requirePrepared(output);
  const categories = await readCategories(output);
  const taggers: SharedTagger[] = [];
  const close = async (): Promise<void> => {
    for (const tagger of taggers) await tagger.release();
  };
  const byPixels = new Map<string, ScorerGroup>();
  let candidate: ScorerGroup | undefined;
  try {
    for (const plan of prepared.scorers) {
      const { group, scorer } = await openScorer(output, key, plan, byPixels, dependencies);
      taggers.push(scorer.tagger);
      group.scorers.push(scorer);
      candidate ??= { ...group, scorers: [scorer] };
    }
  } catch (error) {
    await close();
    throw error;
  }
  const all = [...byPixels.values()];
  const alone = [candidate!];
  return {
    output,
    prepared,
    topK: spec.settings.topK,
    categories: categories.length,
    groups: scoredGroups(categories.map(isSeen)),
    place: (snapshot) => snapshotPlace(output, spec, snapshot, openStore)!,
    scorers: (snapshot) => (snapshot === 'test' ? all : alone),
    fingerprint: inference.fingerprint,
    close,
  };
}

/** Throws `Model.Changed` where a model is not the one that was prepared. */
async function openScorer(
  output: ObjectStore,
  key: string,
  plan: ScorerPlan,
  byPixels: Map<string, ScorerGroup>,
  { openStore, decoder, inference, resolveModel, concurrency }: TagDependencies,
): Promise<{ group: ScorerGroup; scorer: Scorer }> {
  const { dir, hash } = await resolveModel(plan.model);
  if (hash !== plan.hash)
    throw new Failure(
      'Model.Changed',
      `The model at ${plan.model} is not the one that ${output.uri} was prepared with.`,
      {
        subject: plan.model,
        hint: 'Put the first model back and resume, or evaluate the new one into another --out.',
      },
    );
  const model = openModelFolder(dir);
  const { vocabulary } = await readVocabulary(output, plan.vocabulary);
  const pixels = JSON.stringify(model.preprocess);
  let group = byPixels.get(pixels);
  if (!group) {
    const side = model.preprocess.cropSize;
    const loader = createImageLoader({
      openStore,
      decoder: decoder(model.preprocess, DEFAULT_IMAGE_LIMITS),
      imageSide: side,
      maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes,
      concurrency,
    });
    byPixels.set(pixels, (group = { loader, imageBytes: side * side * 3, scorers: [] }));
  }
  const { systems, trainingFree } = plan;
  const tagger = await inference.tagger(`${key} ${systems.join(' ')}`, model, [vocabulary], {
    embedding: false,
    ...(trainingFree && { trainingFree }),
  });
  return { group, scorer: { systems, tagger } };
}
