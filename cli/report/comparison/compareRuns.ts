import { RELATIONS } from '../../../data/graphFile.ts';
import type { Tag, TagRow } from '../../../data/parquet/tagRows.ts';
import { requireFinishedTagRun } from '../../../data/run/requireRun.ts';
import { readRunManifest } from '../../../data/run/runManifest.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { modelOfTagRun } from '../../../workers/explainedModel.ts';
import { explainedModel } from '../images/explainedModel.ts';
import { showImages } from '../images/showImages.ts';
import { labelKey, PageNames, type Label } from '../labels.ts';
import type { Report, ReportOptions } from '../report.ts';
import { orderOf, tagRowsOf } from '../run/runFigures.ts';
import { askedVocabularies, chosenImages, limitsOf } from '../run/runReport.ts';
import { vocabularyDifferences } from './vocabularyDifferences.ts';

/** Of an image, labels that appeared, that are gone, and how far scores of the others moved in all. */
interface RowChange {
  row: TagRow;
  appeared: Label[];
  gone: Tag[];
  moved: number;
}

interface LabelChange extends Label {
  before: number;
  now: number;
  appeared: number;
  gone: number;
  /** Of images that have it in both runs: the sum of the changes of its score. */
  moved: number;
}

/** What changed from one tag run to another, on the images that both tagged. */
export async function compareRuns(
  output: ObjectStore,
  against: ObjectStore,
  options: ReportOptions,
): Promise<Report> {
  const now = await openRun(output);
  const before = await openRun(against);
  const larger = Math.max(now.manifest.counts.tagged, before.manifest.counts.tagged);
  const isChosen = sampledKeys(options.maxRows / Math.max(1, larger));
  const earlier = new Map<string, TagRow>();
  for await (const row of before.rows()) if (isChosen(row)) earlier.set(nameOf(row), row);
  options.notify(`read ${earlier.size} rows of ${against.uri}`);

  const labels = new Map<string, LabelChange>();
  const changes: RowChange[] = [];
  const counts = { both: 0, changed: 0, onlyNow: 0, onlyBefore: 0 };
  for await (const row of now.rows()) {
    if (!isChosen(row)) continue;
    const known = earlier.get(nameOf(row));
    if (!known) {
      counts.onlyNow++;
      continue;
    }
    earlier.delete(nameOf(row));
    counts.both++;
    const change = changeOf(known, row, labels);
    if (change.appeared.length + change.gone.length > 0) counts.changed++;
    keepMost(changes, change, options.images);
  }
  counts.onlyBefore = earlier.size;

  const { model, why } = await explainedModel(() => modelOfTagRun(output), options);
  const names = new PageNames(model?.vocabularies ?? (await askedVocabularies(output, now.record)));
  const most = sortedChanges(changes).slice(0, options.images);
  const pictures = await showImages(
    chosenImages(
      most.map(({ row }) => row),
      now.record,
      names,
    ),
    model,
    limitsOf(now.record.spec),
    options,
  );
  const images = pictures.map((image, i) => {
    const { appeared, gone } = most[i]!;
    return {
      ...image,
      change: {
        appeared: appeared.map((label) => names.indexOf(label)),
        gone: gone.map((tag) => ({ name: names.indexOf(tag), score: tag.score })),
      },
    };
  });
  // The table has labels that no shown image does.
  for (const label of labels.values()) names.indexOf(label);
  return {
    kind: 'comparison',
    title: `${now.record.id} against ${before.record.id}`,
    data: {
      of: 'runs',
      now: {
        name: now.record.id,
        folder: output.uri,
        model: now.record.spec.model,
        counts: now.manifest.counts,
      },
      before: {
        name: before.record.id,
        folder: against.uri,
        model: before.record.spec.model,
        counts: before.manifest.counts,
      },
      counts,
      sampled: larger > options.maxRows ? { rows: options.maxRows, of: larger } : null,
      vocabularyDifferences: vocabularyDifferences(
        now.record.spec.vocabularies,
        before.record.spec.vocabularies,
      ),
      labels: [...labels.values()],
      withoutEvidence: why,
    },
    ...names.forReport(),
    relations: RELATIONS,
    images,
  };
}

const nameOf = ({ source, key }: TagRow): string => `${source}\0${key}`;

async function openRun(output: ObjectStore) {
  const record = await requireFinishedTagRun(output);
  const manifest = await readRunManifest(output);
  async function* rows(): AsyncGenerator<TagRow> {
    for await (const part of tagRowsOf(output, manifest, undefined, record.spec.sources[0]!.uri)) yield* part;
  }
  return { record, manifest, rows };
}

/** Whether an image is one of a share of all, the same ones in any run. */
function sampledKeys(share: number): (row: TagRow) => boolean {
  if (share >= 1) return () => true;
  const limit = Math.floor(share * 0x1_0000_0000);
  return (row) => parseInt(orderOf(nameOf(row)).slice(0, 8), 16) < limit;
}

function changeOf(before: TagRow, row: TagRow, labels: Map<string, LabelChange>): RowChange {
  const earlier = new Map(before.tags.map((tag) => [labelKey(tag), tag]));
  const change: RowChange = { row, appeared: [], gone: [], moved: 0 };
  const of = (tag: Label): LabelChange => {
    const { vocabulary, label } = tag;
    const key = labelKey(tag);
    let known = labels.get(key);
    if (!known) {
      known = { vocabulary, label, before: 0, now: 0, appeared: 0, gone: 0, moved: 0 };
      labels.set(key, known);
    }
    return known;
  };
  for (const tag of row.tags) {
    const key = labelKey(tag);
    const known = earlier.get(key);
    const figures = of(tag);
    figures.now++;
    if (known === undefined) {
      figures.appeared++;
      change.appeared.push(tag);
      continue;
    }
    earlier.delete(key);
    figures.before++;
    figures.moved += tag.score - known.score;
    change.moved += Math.abs(tag.score - known.score);
  }
  for (const tag of earlier.values()) {
    const figures = of(tag);
    figures.before++;
    figures.gone++;
    change.gone.push(tag);
  }
  return change;
}

/** Those with the most labels that appeared or are gone first; of as many, those whose scores moved more. */
const sortedChanges = (changes: readonly RowChange[]): RowChange[] =>
  [...changes].sort(
    (a, b) =>
      b.appeared.length + b.gone.length - a.appeared.length - a.gone.length ||
      b.moved - a.moved ||
      (nameOf(a.row) < nameOf(b.row) ? -1 : 1),
  );

/** Keeps at least the `limit` that changed most; memory is a few times that. */
function keepMost(changes: RowChange[], change: RowChange, limit: number): void {
  if (change.appeared.length + change.gone.length === 0 && change.moved === 0) return;
  changes.push(change);
  if (changes.length > 4 * limit + 100)
    changes.splice(0, changes.length, ...sortedChanges(changes).slice(0, limit));
}
