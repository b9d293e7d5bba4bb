import { SYSTEMS } from '../../../data/evaluation/systems.ts';
import { RELATIONS } from '../../../data/graphFile.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { decideTags, tagDecision } from '../../../model/tagDecision.ts';
import { modelOfEvaluation, type ExplainedModel } from '../../../workers/explainedModel.ts';
import { graphPage } from '../../graph/graphPage.ts';
import { explainedModel } from '../images/explainedModel.ts';
import { showImages, type ChosenImage } from '../images/showImages.ts';
import type { Report, ReportOptions } from '../report.ts';
import { siblingConfusions } from './confusions.ts';
import { readModelParts, type EvaluationPart, type ModelParts } from './modelParts.ts';
import { imageBytes, scoreImages, testRows, type ScoredImages } from './scoredImages.ts';
import { thresholdCounts } from './thresholdCounts.ts';

/** The report of a model. */
export async function modelReport(
  subject: ObjectStore,
  evaluation: ObjectStore | undefined,
  options: ReportOptions,
): Promise<Report> {
  const parts = await readModelParts(subject, evaluation);
  const { course, metrics, graph, categories } = parts;
  const scored = parts.evaluation && (await scoredAgain(parts.evaluation, options));
  const names = scored?.model?.vocabularies[0].nodes ?? categories.map(({ name }) => name);
  const images =
    scored?.model && scored.images
      ? await showImages(
          testImages(scored.images, scored.model, categories, options.images),
          scored.model,
          DEFAULT_IMAGE_LIMITS,
          options,
        )
      : [];
  return {
    kind: 'model',
    title: `Model ${parts.model ?? parts.subject}`,
    data: {
      subject: parts.subject,
      model: parts.model ?? null,
      course: course ? { plan: course.plan, rounds: course.rounds, validations: course.validations } : null,
      metrics: metrics ? shownMetrics(metrics) : null,
      perCategory: parts.evaluation?.perCategory ?? null,
      evaluation: parts.evaluation?.output.uri ?? null,
      ...scoredFigures(parts, scored),
      withoutEvidence: scored === undefined ? 'There is no evaluation.' : scored.why,
    },
    names,
    relations: RELATIONS,
    images,
    ...(graph && {
      graph: await graphPage({ graph, categories }, `Category graph of ${parts.model ?? parts.subject}`),
    }),
  };
}

/** What needs the scores of single images, which an evaluation does not keep. */
function scoredFigures({ graph, categories }: ModelParts, scored: ScoredAgain | undefined): object {
  const { images, model } = scored ?? {};
  if (!images || !model) return { thresholds: null, confusions: null, scored: null };
  const [{ nodes, vocabulary }] = model.vocabularies;
  const names = nodes.slice(0, vocabulary.asked);
  return {
    scored: { images: images.rows.length, of: images.of },
    isCalibrated: model.calibration !== undefined,
    thresholds: thresholdCounts(images, categories.length, model.calibration),
    confusions: graph ? siblingConfusions(graph, names, images) : null,
  };
}

interface ScoredAgain {
  model: ExplainedModel | undefined;
  images: ScoredImages | undefined;
  /** Why there are none. */
  why: string | null;
}

/** The model of an evaluation's candidate and what it says of the first test images. */
export async function scoredAgain(evaluation: EvaluationPart, options: ReportOptions): Promise<ScoredAgain> {
  const { model, why } = await explainedModel(
    () => modelOfEvaluation(evaluation.output, 'candidate'),
    options,
  );
  if (!model) return { model, images: undefined, why };
  const rows = await testRows(evaluation, options.scoredImages);
  const images = await scoreImages(model, rows, options.device, (done) =>
    options.notify(`scored ${done} of ${rows.rows.length} test images`),
  );
  return { model, images, why: images.rows.length === 0 ? 'None of the test images can be read.' : null };
}

/** The first of scored images, with the tags that the model gives them. */
export function testImages(
  { rows, scores }: ScoredImages,
  { calibration }: ExplainedModel,
  categories: ModelParts['categories'],
  limit: number,
): ChosenImage[] {
  const decision = tagDecision({ categories, ...(calibration && { calibration }) });
  const indices = new Map(categories.map(({ name }, i) => [name, i]));
  return rows.slice(0, limit).map((row, i) => {
    const own = scores.subarray(i * categories.length, (i + 1) * categories.length);
    const at = row.uri.lastIndexOf('/') + 1;
    return {
      key: row.uri.slice(at),
      source: row.uri.slice(0, at - 1),
      present: row.present,
      read: () => imageBytes(row),
      tags: [decideTags(own, decision).map(({ label, score }) => ({ name: indices.get(label)!, score }))],
    };
  });
}

/** The figures that tables and charts show. */
function shownMetrics(metrics: NonNullable<ModelParts['metrics']>): object {
  const { test, validation, images, topK, bootstrap, systems, differences, calibration } = metrics;
  const { withoutPositives, withoutCalibration } = metrics;
  return {
    ...{
      test,
      validation,
      images,
      topK,
      bootstrap,
      calibration,
      withoutPositives,
      withoutCalibration,
      differences,
    },
    systems: SYSTEMS.flatMap((name) => {
      const system = systems[name];
      return system ? [{ name, model: system.model, groups: system.groups }] : [];
    }),
  };
}
