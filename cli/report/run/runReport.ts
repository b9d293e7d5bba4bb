import { parseCategories } from '../../../data/categories.ts';
import { RELATIONS } from '../../../data/graphFile.ts';
import type { ImageLimits } from '../../../data/images/limits.ts';
import type { TagRow } from '../../../data/parquet/tagRows.ts';
import { vocabularyInputs } from '../../../data/run/layout.ts';
import { sourceAccess, type TagRecord } from '../../../data/run/record.ts';
import { requireFinishedTagRun } from '../../../data/run/requireRun.ts';
import { readRunManifest } from '../../../data/run/runManifest.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { modelOfTagRun } from '../../../workers/explainedModel.ts';
import { taggedBytes } from '../../query/taggedBytes.ts';
import { explainedModel } from '../images/explainedModel.ts';
import { showImages, type ChosenImage } from '../images/showImages.ts';
import { PageNames } from '../labels.ts';
import type { Report, ReportOptions } from '../report.ts';
import { ImageChoice } from './chooseImages.ts';
import { LabelTally } from './labelTally.ts';
import { chooseShards, readFailures, readRate, tagRowsOf } from './runFigures.ts';

/** The report of a finished tag run. */
export async function runReport(output: ObjectStore, options: ReportOptions): Promise<Report> {
  const record = await requireFinishedTagRun(output);
  const manifest = await readRunManifest(output);
  const { spec } = record;
  const source = spec.sources[0]!.uri;
  const sampled = chooseShards(manifest, options.maxRows);
  const tally = new LabelTally();
  const choice = new ImageChoice(options.images);
  for await (const rows of tagRowsOf(output, manifest, sampled.shards, source))
    for (const row of rows) {
      tally.add(row);
      choice.add(row);
    }
  options.notify(`read ${sampled.rows} of ${sampled.tagged} rows`);
  const explained = await explainedModel(() => modelOfTagRun(output), options);
  const asked = await askedVocabularies(output, record);
  const names = new PageNames(explained.model?.vocabularies ?? asked);
  const chosen = chosenImages(choice.chosen(), record, names);
  const images = await showImages(chosen, explained.model, limitsOf(spec), options);
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
      sampled: { rows: tally.rows, of: sampled.tagged, tags: tally.tags },
      rate: await readRate(output, record, manifest),
      failures: await readFailures(output, manifest, source),
      labels: tally.figures(),
      categories: asked.reduce((sum, { nodes }) => sum + nodes.length, 0),
      // Without the model it is not known.
      isCalibrated: explained.model ? explained.model.calibration !== undefined : null,
      withoutEvidence: explained.why,
    },
    ...names.forReport(),
    relations: RELATIONS,
    images,
  };
}

/** The vocabularies of a run, of each the asked categories alone. */
export const askedVocabularies = (
  output: ObjectStore,
  { spec }: TagRecord,
): Promise<{ name: string | null; nodes: string[] }[]> =>
  Promise.all(
    spec.vocabularies.map(async ({ name }) => {
      const key = vocabularyInputs(name).categories;
      const categories = parseCategories((await output.get(key)).body, key);
      return { name, nodes: categories.map((category) => category.name) };
    }),
  );

/** Rows as images to be shown. */
export function chosenImages(rows: readonly TagRow[], { spec }: TagRecord, names: PageNames): ChosenImage[] {
  const access = sourceAccess(spec);
  const stores = new Map(spec.sources.map(({ uri }) => [uri, openStore(uri, access)]));
  return rows.map((row) => ({
    key: row.key,
    source: row.source,
    present: null,
    read: () => taggedBytes(stores.get(row.source)!, row),
    tags: [...Map.groupBy(row.tags, ({ vocabulary }) => vocabulary).values()].map((own) =>
      own.map((tag) => ({ name: names.indexOf(tag), score: tag.score })),
    ),
  }));
}

/** Those that the run had. */
export const limitsOf = ({
  maxBytes,
  maxPixels,
  decodeTimeoutMs: timeoutMs,
}: TagRecord['spec']): ImageLimits => ({
  ...{ maxBytes, maxPixels, timeoutMs },
});
