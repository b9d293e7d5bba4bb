import { parseCategories } from '../../../data/categories.ts';
import { isFailure } from '../../../data/failure.ts';
import { RELATIONS } from '../../../data/graphFile.ts';
import { parsePreprocessConfig } from '../../../data/images/preprocessConfig.ts';
import type { TagRow } from '../../../data/parquet/tagRows.ts';
import { CATEGORIES } from '../../../data/run/layout.ts';
import { sourceAccess, type TagRecord } from '../../../data/run/record.ts';
import { requireFinishedTagRun } from '../../../data/run/requireRun.ts';
import { readRunManifest } from '../../../data/run/runManifest.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { modelOfTagRun, type ExplainedModel } from '../../../workers/explainedModel.ts';
import { taggedBytes } from '../../query/taggedBytes.ts';
import { explainImages } from '../images/evidence.ts';
import { patchGrid, readPictures } from '../images/pictures.ts';
import type { ShownImage } from '../images/shownImage.ts';
import type { Report, ReportOptions } from '../report.ts';
import { ImageChoice } from './chooseImages.ts';
import { LabelTally } from './labelTally.ts';
import { chooseShards, readFailures, readRate, tagRowsOf } from './runFigures.ts';

/** For thumbnails alone, any will do. */
const CLIP_PREPROCESS = parsePreprocessConfig({}, 'preprocessor_config.json');

/** Tags of an image that are shown, and those of them that are explained: the ones with the highest scores. */
const SHOWN_TAGS = 12;
const EXPLAINED_TAGS = 6;

/** The report of a finished tag run. */
export async function runReport(output: ObjectStore, options: ReportOptions): Promise<Report> {
  const record = await requireFinishedTagRun(output);
  const manifest = await readRunManifest(output);
  const { spec } = record;
  const source = spec.sources[0]!.uri;
  const chosen = chooseShards(manifest, options.maxRows);
  const tally = new LabelTally();
  const choice = new ImageChoice(options.images);
  for await (const rows of tagRowsOf(output, manifest, chosen.shards, source))
    for (const row of rows) {
      tally.add(row);
      choice.add(row);
    }
  options.notify(`read ${chosen.rows} of ${chosen.tagged} rows`);
  const categories = parseCategories((await output.get(CATEGORIES)).body, CATEGORIES);
  const explained = await explainedModel(output, options);
  const names = explained.model?.names ?? categories.map(({ name }) => name);
  const images = await shownImages(choice.chosen(), record, names, explained.model, options);
  return {
    kind: 'run',
    title: `Tag run ${record.id}`,
    data: {
      run: {
        id: record.id,
        folder: output.uri,
        model: spec.model,
        sources: spec.sources.map(({ uri }) => uri),
      },
      counts: { ...manifest.counts, ...manifest.plan },
      sampled: { rows: tally.rows, of: chosen.tagged, tags: tally.tags },
      rate: await readRate(output, record, manifest),
      failures: await readFailures(output, manifest, source),
      labels: tally.figures(),
      categories: categories.length,
      isCalibrated: explained.model?.calibration !== undefined,
      withoutEvidence: explained.why,
    },
    names,
    relations: RELATIONS,
    images,
  };
}

/** The model that explains the run's scores, or why there is none. */
async function explainedModel(
  output: ObjectStore,
  { evidence }: ReportOptions,
): Promise<{ model: ExplainedModel | undefined; why: string | null }> {
  if (!evidence) return { model: undefined, why: 'The report was made with --no-evidence.' };
  try {
    return { model: await modelOfTagRun(output), why: null };
  } catch (error) {
    if (!['Model.', 'Hub.', 'Store.'].some((domain) => isFailure(error, domain))) throw error;
    return { model: undefined, why: (error as Error).message };
  }
}

async function shownImages(
  rows: readonly TagRow[],
  { spec }: TagRecord,
  names: readonly string[],
  model: ExplainedModel | undefined,
  { device, notify }: ReportOptions,
): Promise<ShownImage[]> {
  const indices = new Map(names.map((name, i) => [name, i]));
  const access = sourceAccess(spec);
  const stores = new Map(spec.sources.map(({ uri }) => [uri, openStore(uri, access)]));
  const { maxBytes, maxPixels, decodeTimeoutMs: timeoutMs } = spec;
  const pictures = await readPictures(
    rows.map((row) => ({ read: () => taggedBytes(stores.get(row.source)!, row) })),
    model?.folder.preprocess ?? CLIP_PREPROCESS,
    { maxBytes, maxPixels, timeoutMs },
  );
  notify(`read ${rows.length} images`);
  const tagsOf = (row: TagRow) =>
    row.tags.slice(0, SHOWN_TAGS).map(({ label, score }) => ({ name: indices.get(label)!, score }));
  const readable = pictures.flatMap((picture, at) => (picture.thumbnail === null ? [] : [{ at, picture }]));
  const evidence = new Map<number, Awaited<ReturnType<typeof explainImages>>[number]>();
  if (model) {
    const found = await explainImages(
      model,
      readable.map(({ at, picture }) => ({
        pixels: picture.pixels,
        categories: tagsOf(rows[at]!)
          .slice(0, EXPLAINED_TAGS)
          .map(({ name }) => name),
      })),
      { device, report: (done, all) => notify(`evidence of ${done} of ${all} labels`) },
    );
    readable.forEach(({ at }, i) => evidence.set(at, found[i]!));
  }
  const patchSize = model?.folder.config.vision_config.patch_size;
  return rows.map((row, at) => {
    const picture = pictures[at]!;
    return {
      key: row.key,
      source: row.source,
      width: row.width,
      height: row.height,
      thumbnail: picture.thumbnail,
      unshown: picture.thumbnail === null ? picture.code : null,
      tags: tagsOf(row).map((tag) => ({ ...tag, evidence: evidence.get(at)?.get(tag.name) ?? null })),
      present: null,
      grid:
        model && patchSize !== undefined
          ? patchGrid(row.width, row.height, model.folder.preprocess, patchSize)
          : null,
    };
  });
}
