import {
  createExplainer,
  type ImageFeatures,
  type ScoreEvidence,
} from '../../../model/evidence/explainer.ts';
import type { DeviceOptions } from '../../../model/onnx/session.ts';
import type { ExplainedModel } from '../../../workers/explainedModel.ts';
import type { ShownEvidence } from './shownImage.ts';

/** Neighbours that are listed for a score. */
const LISTED_NEIGHBOURS = 8;

/** An image's pixels, as decoded, and the asked categories (indices) that its scores are to be explained of. */
export interface ExplainedImage {
  pixels: Uint8Array;
  categories: readonly number[];
}

export interface EvidenceOptions {
  device: DeviceOptions;
  /** Told how many categories of how many were gone through. */
  report(done: number, all: number): void;
}

/** The evidence of each image's categories, by category. */
export async function explainImages(
  { folder, vocabulary }: ExplainedModel,
  images: readonly ExplainedImage[],
  { device, report }: EvidenceOptions,
): Promise<Map<number, ShownEvidence>[]> {
  const explained = images.map(() => new Map<number, ShownEvidence>());
  const explainer = await createExplainer(folder, vocabulary, device);
  try {
    const features: ImageFeatures[] = [];
    for (const { pixels } of images) features.push(...(await explainer.encode(pixels)));
    const byCategory = new Map<number, number[]>();
    for (const [at, { categories }] of images.entries())
      for (const category of categories) {
        const wanted = byCategory.get(category);
        if (wanted) wanted.push(at);
        else byCategory.set(category, [at]);
      }
    let done = 0;
    for (const [category, wanted] of byCategory) {
      const found = await explainer.explain(
        category,
        wanted.map((at) => features[at]!),
      );
      wanted.forEach((at, i) => explained[at]!.set(category, shown(found[i]!)));
      report(++done, byCategory.size);
    }
    return explained;
  } finally {
    await explainer.release();
  }
}

function shown(evidence: ScoreEvidence): ShownEvidence {
  const { score, globalScore, localScore, scoreBeforeTransfer, patches, neighbours } = evidence;
  return {
    score: rounded(score),
    global: rounded(globalScore),
    local: localScore === null ? null : rounded(localScore),
    start: rounded(scoreBeforeTransfer),
    patches: patches.map(({ index, probability }) => [index, rounded(probability)]),
    neighbours: neighbours
      .slice(0, LISTED_NEIGHBOURS)
      .map(({ node, relations, change }) => [node, relations, rounded(change)]),
    others: Math.max(0, neighbours.length - LISTED_NEIGHBOURS),
  };
}

/** Five digits are as many as a page shows. */
export const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
