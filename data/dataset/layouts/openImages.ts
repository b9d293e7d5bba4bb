/** Open Images: image-level labels, verified by people or given by machines with a confidence, in CSV files. */
import { parse } from 'csv-parse/sync';
import { streamCsvRows, type CsvRow } from '../../csvTable.ts';
import { Failure, messageOf } from '../../failure.ts';
import type { StoreOptions } from '../../store/open.ts';
import { chooseCategories, type LabelKind, type SplitLists } from './chosenCategories.ts';
import { noneDropped, type Layout, type LayoutRecord } from './layout.ts';
import { invalidSource, sourceFile, sourceLines, sourceText, type SourceFile } from './sourceFiles.ts';

export interface OpenImagesOptions {
  /** URI of `class-descriptions.csv` or its like: label ids and names, with a header line or without. */
  classes: string;
  /** URIs of files of labels with the columns ImageID, Source, LabelName, Confidence; boxes will do as well. */
  labels: readonly string[];
  /** A label of at least this confidence is present. In (0, 1]. */
  presentFrom: number;
  /** A label of at most this confidence is absent; what lies between is unknown. In [0, 1), below `presentFrom`. */
  absentUpTo: number;
  lists: SplitLists;
  store?: StoreOptions;
}

const MACHINE = 'machine';

/**
 * Opens Open Images' own files. What nobody says anything of is unknown. Of an image's category, what people verified
 * counts, else what machines said; labels of one name, which the data set has several of, are one category, present
 * where one of them is.
 *
 * @throws Failure `Config.Invalid` for confidences that make no sense; `Dataset.Invalid` naming file and line
 */
export async function openOpenImages(options: OpenImagesOptions): Promise<Layout> {
  const { presentFrom, absentUpTo, lists, store } = options;
  if (!(absentUpTo >= 0 && absentUpTo < presentFrom && presentFrom <= 1))
    throw new Failure(
      'Config.Invalid',
      `A label is present from a confidence of ${presentFrom} and absent up to ${absentUpTo}: the first must be greater, and both lie between 0 and 1.`,
    );
  const classes = sourceFile(options.classes, store);
  const { categories, indexOf } = chooseCategories(await readClasses(classes), classes.uri, lists);
  const files = options.labels.map((uri) => sourceFile(uri, store));
  const dropped = noneDropped();
  async function* records(file: SourceFile): AsyncGenerator<LayoutRecord> {
    const fail = (reason: string, cause?: unknown) => invalidSource(file, reason, cause);
    const rows = streamCsvRows(sourceText(file), ['ImageID', 'LabelName', 'Confidence'], fail);
    for await (const row of rows) {
      const path = `${idOf(row, file)}.jpg`;
      const confidence = confidenceOf(row, file);
      const record: LayoutRecord = {
        path,
        present: [],
        absent: [],
        isMachine: row.cells.get('Source') === MACHINE,
      };
      const label = row.cells.get('LabelName') ?? '';
      const category = indexOf.get(label);
      if (category === undefined) {
        dropped.unknown++;
        dropped.unknownExample ??= `${label} (${file.uri}, line ${row.line})`;
      } else if (category === null) dropped.notListed++;
      else if (confidence >= presentFrom) record.present.push(category);
      else if (confidence <= absentUpTo) record.absent.push(category);
      // An image that only unknown labels are of is an image of the data set too.
      yield record;
    }
  }
  return {
    categories,
    unlisted: 'unknown',
    dropped,
    async *records() {
      for (const file of files) yield* records(file);
    },
  };
}

function idOf({ line, cells }: CsvRow, file: SourceFile): string {
  const id = cells.get('ImageID') ?? '';
  if (/^[\w-]+$/.test(id)) return id;
  throw invalidSource(file, `line ${line}: the ImageID "${id}" is none`);
}

function confidenceOf({ line, cells }: CsvRow, file: SourceFile): number {
  const written = (cells.get('Confidence') ?? '').trim();
  const confidence = written === '' ? NaN : Number(written);
  if (confidence >= 0 && confidence <= 1) return confidence;
  throw invalidSource(file, `line ${line}: the Confidence "${written}" is no number from 0 to 1`);
}

async function readClasses(file: SourceFile): Promise<LabelKind[]> {
  const kinds: LabelKind[] = [];
  const lines = new Map<string, number>();
  for await (const { line, text } of sourceLines(file)) {
    const [id = '', name = '', ...more] = cellsOf(text, line, file);
    if (id === 'LabelName') continue;
    if (id === '' || name.trim() === '' || more.length > 0)
      throw invalidSource(file, `line ${line}: "${text}" is not a label's id and its name`);
    if (lines.has(id))
      throw invalidSource(file, `line ${line} names the label ${id}, as line ${lines.get(id)} does`);
    lines.set(id, line);
    kinds.push({ id, name });
  }
  return kinds;
}

function cellsOf(text: string, line: number, file: SourceFile): string[] {
  try {
    return parse(text)[0]!;
  } catch (error) {
    throw invalidSource(file, `line ${line}: ${messageOf(error)}`, error);
  }
}
