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

/** An image's pixels, as decoded, and the labels (indices of names) whose scores are to be explained. */
export interface ExplainedImage {
  pixels: Uint8Array;
  labels: readonly number[];
}

export interface EvidenceOptions {
  device: DeviceOptions;
  /** Told how many labels of how many were gone through. */
  report(done: number, all: number): void;
}

/** The evidence of each image's labels, by label. Names are those of the vocabularies, one after another. */
export async function explainImages(
  { folder, vocabularies }: ExplainedModel,
  images: readonly ExplainedImage[],
  { device, report }: EvidenceOptions,
): Promise<Map<number, ShownEvidence>[]> {
  const explained = images.map(() => new Map<number, ShownEvidence>());
  const explainer = await createExplainer(folder, device);
  try {
    const features: ImageFeatures[] = [];
    for (const { pixels } of images) features.push(...(await explainer.encode(pixels)));
    const byLabel = new Map<number, number[]>();
    for (const [at, { labels }] of images.entries())
      for (const label of labels) {
        const wanted = byLabel.get(label);
        if (wanted) wanted.push(at);
        else byLabel.set(label, [at]);
      }
    let done = 0;
    let first = 0;
    for (const { vocabulary, nodes } of vocabularies) {
      for (const [label, wanted] of byLabel) {
        const category = label - first;
        if (category < 0 || category >= nodes.length) continue;
        const wantedFeatures = wanted.map((at) => features[at]!);
        const found = await explainer.explain(vocabulary, category, wantedFeatures);
        wanted.forEach((at, i) => explained[at]!.set(label, shown(found[i]!, first)));
        report(++done, byLabel.size);
      }
      first += nodes.length;
    }
    return explained;
  } finally {
    await explainer.release();
  }
}

/** @param first index of the vocabulary's first name */
function shown(evidence: ScoreEvidence, first: number): ShownEvidence {
  const { score, globalScore, localScore, scoreBeforeTransfer, patches, neighbours } = evidence;
  return {
    score: rounded(score),
    global: rounded(globalScore),
    local: localScore === null ? null : rounded(localScore),
    start: rounded(scoreBeforeTransfer),
    patches: patches.map(({ index, probability }) => [index, rounded(probability)]),
    neighbours: neighbours
      .slice(0, LISTED_NEIGHBOURS)
      .map(({ node, relations, change }) => [first + node, relations, rounded(change)]),
    others: Math.max(0, neighbours.length - LISTED_NEIGHBOURS),
  };
}

/** Five digits are as many as a page shows. */
export const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
