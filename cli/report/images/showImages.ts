import { parsePreprocessConfig } from '../../../data/images/preprocessConfig.ts';
import type { ImageLimits } from '../../../data/images/limits.ts';
import type { ExplainedModel } from '../../../workers/explainedModel.ts';
import type { ReportOptions } from '../report.ts';
import { explainImages } from './evidence.ts';
import { patchGrid, readPictures } from './pictures.ts';
import type { ShownEvidence, ShownImage } from './shownImage.ts';

/** Tags of an image and a vocabulary that are shown, and explained: the ones with the highest scores. */
const SHOWN_TAGS = 12;
const EXPLAINED_TAGS = 6;

/** For thumbnails alone, any will do. */
const CLIP_PREPROCESS = parsePreprocessConfig({}, 'preprocessor_config.json');

/** An image that a report chose. */
export interface ChosenImage extends Pick<ShownImage, 'key' | 'source' | 'present'> {
  read(): Promise<Uint8Array>;
  /** Of each vocabulary by descending score; names are indices of the page's. */
  tags: readonly (readonly { name: number; score: number }[])[];
}

/** Reads images and, where there is a model, explains their scores. */
export async function showImages(
  chosen: readonly ChosenImage[],
  model: ExplainedModel | undefined,
  limits: ImageLimits,
  { device, notify }: ReportOptions,
): Promise<ShownImage[]> {
  const pictures = await readPictures(chosen, model?.folder.preprocess ?? CLIP_PREPROCESS, limits);
  notify(`read ${chosen.length} images`);
  const readable = pictures.flatMap((picture, at) => (picture.thumbnail === null ? [] : [{ at, picture }]));
  const evidence = new Map<number, Map<number, ShownEvidence>>();
  if (model) {
    const images = readable.map(({ at, picture: { pixels } }) => {
      const explained = chosen[at]!.tags.flatMap((own) => own.slice(0, EXPLAINED_TAGS));
      return { pixels, labels: explained.map(({ name }) => name) };
    });
    const report = (done: number, all: number) => notify(`explained ${done} of ${all} labels`);
    const found = await explainImages(model, images, { device, report });
    readable.forEach(({ at }, i) => evidence.set(at, found[i]!));
  }
  return chosen.map(({ key, source, present, tags }, at) => {
    const picture = pictures[at]!;
    const isShown = picture.thumbnail !== null;
    return {
      ...{ key, source, present },
      width: isShown ? picture.width : null,
      height: isShown ? picture.height : null,
      thumbnail: picture.thumbnail,
      unshown: isShown ? null : picture.code,
      tags: tags
        .flatMap((own) => own.slice(0, SHOWN_TAGS))
        .map((tag) => ({ ...tag, evidence: evidence.get(at)?.get(tag.name) ?? null })),
      grid:
        model && isShown
          ? patchGrid(
              picture.width,
              picture.height,
              model.folder.preprocess,
              model.folder.config.vision_config.patch_size,
            )
          : null,
    };
  });
}
