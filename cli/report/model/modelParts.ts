import { parseCategories, type Category } from '../../../data/categories.ts';
import {
  readEvaluation,
  evaluationMetricsSchema,
  type EvaluationMetrics,
} from '../../../data/evaluation/metricsFile.ts';
import { METRICS } from '../../../data/evaluation/evaluateLayout.ts';
import { readPerCategory, type CategoryFigures } from '../../../data/evaluation/perCategoryFile.ts';
import { Failure } from '../../../data/failure.ts';
import { parseGraph, type CategoryGraph } from '../../../data/graphFile.ts';
import { GRAPH_FILE } from '../../../data/graph/graphLayout.ts';
import { readLineage } from '../../../data/models/lineage.ts';
import { readStageReceipts } from '../../../data/retrain/stageReceipt.ts';
import type { Stage } from '../../../data/retrain/stages.ts';
import { CATEGORIES, GRAPH } from '../../../data/run/layout.ts';
import { readRunRecord, type EvaluateRecord } from '../../../data/run/record.ts';
import { requireEvaluateRun } from '../../../data/run/requireRun.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { readTrainCourse, type TrainCourse } from '../../../data/training/trainCourse.ts';

/** A finished evaluation, as far as a report reads it. */
export interface EvaluationPart {
  output: ObjectStore;
  record: EvaluateRecord;
  metrics: EvaluationMetrics;
  categories: Category[];
  perCategory: CategoryFigures[];
}

/** What is known of a model; a part that is not there is undefined. */
export interface ModelParts {
  /** What the user named. */
  subject: string;
  /** URI of the model folder, where one is known. */
  model: string | undefined;
  course: TrainCourse | undefined;
  /** Figures alone are what a published model has of its evaluation. */
  metrics: EvaluationMetrics | undefined;
  evaluation: EvaluationPart | undefined;
  graph: CategoryGraph | undefined;
  categories: Category[];
}

/**
 * What there is about a model, by any folder of its: a training's, an evaluation's, a retraining's, or a model folder.
 *
 * @param evaluation folder of an evaluation of it, where the subject's own does not lead to one
 * @throws Failure `Report.Subject` for a folder of something else
 */
export async function readModelParts(
  subject: ObjectStore,
  evaluation: ObjectStore | undefined,
): Promise<ModelParts> {
  const record = await readRunRecord(subject);
  const folders = await foldersOf(subject, record?.kind, evaluation);
  const evaluated = folders.evaluation && (await readEvaluationPart(folders.evaluation));
  const model = folders.model ?? evaluated?.record.spec.model;
  const modelFolder = model === undefined || model.startsWith('hub:') ? undefined : openStore(model);
  const course = await courseOf(modelFolder);
  const graphs = [
    ...(evaluated?.record.spec.graph == null ? [] : [{ folder: evaluated.output, key: GRAPH }]),
    ...(modelFolder ? [{ folder: modelFolder, key: GRAPH_FILE }] : []),
  ];
  return {
    subject: subject.uri,
    model,
    course,
    metrics: evaluated?.metrics ?? (modelFolder && (await publishedMetrics(modelFolder))),
    evaluation: evaluated,
    graph: await firstGraph(graphs),
    categories: evaluated?.categories ?? (modelFolder ? await categoriesOf(modelFolder) : []),
  };
}

async function foldersOf(
  subject: ObjectStore,
  kind: string | undefined,
  evaluation: ObjectStore | undefined,
): Promise<{ model?: string; evaluation?: ObjectStore }> {
  if (kind === 'evaluate') return { evaluation: subject };
  if (kind === 'retrain') {
    const receipts = await readStageReceipts(subject);
    const artifactOf = (stage: Stage) =>
      receipts.find((receipt) => receipt.stage === stage)?.artifact ?? undefined;
    const model = artifactOf('train');
    const evaluated = artifactOf('evaluate');
    return {
      ...(model !== undefined && { model }),
      ...(evaluated !== undefined && { evaluation: openStore(evaluated) }),
    };
  }
  const isModel =
    kind === 'train' || kind === 'pretrain' || (await subject.head('config.json')) !== undefined;
  if (isModel) return { model: subject.uri, ...(evaluation && { evaluation }) };
  throw new Failure(
    'Report.Subject',
    `${subject.uri} is neither a run that is reported on nor a model folder${kind === undefined ? '' : `: it is a run of \`c2srt ${kind}\``}.`,
    {
      subject: subject.uri,
      hint: 'Give the folder of a run of `tag`, `train`, `pretrain`, `evaluate` or `retrain`, or a model folder.',
    },
  );
}

async function readEvaluationPart(output: ObjectStore): Promise<EvaluationPart> {
  const record = await requireEvaluateRun(output);
  const metrics = await readEvaluation(output);
  const categories = parseCategories((await output.get(CATEGORIES)).body, CATEGORIES);
  return { output, record, metrics, categories, perCategory: (await readPerCategory(output)) ?? [] };
}

/** The course of the training that a model folder is of, or that its lineage names and that is still there. */
async function courseOf(folder: ObjectStore | undefined): Promise<TrainCourse | undefined> {
  if (!folder) return undefined;
  const training = (await readLineage(folder))?.training?.folder;
  for (const place of [folder, ...(training === undefined ? [] : [openStore(training)])]) {
    const kind = (await readRunRecord(place).catch(() => undefined))?.kind;
    if (kind === 'train' || kind === 'pretrain') return readTrainCourse(place);
  }
  return undefined;
}

/** A training's `metrics.json` is of another form. */
async function publishedMetrics(folder: ObjectStore): Promise<EvaluationMetrics | undefined> {
  const { data } = evaluationMetricsSchema.safeParse(await readJsonIfThere(folder, METRICS));
  return data;
}

async function firstGraph(
  places: readonly { folder: ObjectStore; key: string }[],
): Promise<CategoryGraph | undefined> {
  for (const { folder, key } of places)
    if (await folder.head(key)) return parseGraph((await folder.get(key)).body, key);
  return undefined;
}

async function categoriesOf(folder: ObjectStore): Promise<Category[]> {
  const key = 'categories.json';
  return (await folder.head(key)) ? parseCategories((await folder.get(key)).body, key) : [];
}
