import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DecodedArray, SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { Failure } from '../failure.ts';
import { classifyFileError } from '../store/file/classifyFile.ts';

/** A row of a manifest of labels, as it is written. */
export interface LabelledImage {
  /** Canonical URI of the image. */
  uri: string;
  labels: string[];
  /** null: every category that is not among the labels. */
  absent: string[] | null;
  /** null: whatever the image is when it is read. */
  etag: string | null;
}

/** Rows held in memory: those of a row group, or of some hundred kB of text. */
const PARQUET_ROWS = 5000;
const TEXT_ROWS = 1000;

const FORMATS = { '.parquet': writeParquet, '.jsonl': writeJsonl, '.ndjson': writeJsonl };

/**
 * Writes a manifest of labels that `readManifest` reads: JSON lines, or Parquet with standard lists, as the file's
 * ending says. Memory is constant. A file that is there is replaced when the new one is whole.
 *
 * @param file a path on this machine
 * @throws Failure `Dataset.Invalid` for another ending, those of {@link classifyFileError}, and what `rows` throws
 */
export async function writeManifest(file: string, rows: AsyncIterable<LabelledImage>): Promise<void> {
  const write = formatOf(file);
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await write(temporary, rows);
    await rename(temporary, file);
  } catch (error) {
    throw error instanceof Error && 'errno' in error ? classifyFileError(error, file) : error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Throws `Dataset.Invalid` for a file that {@link writeManifest} would refuse, before work is spent on its rows. */
export function refuseUnwritable(file: string): void {
  formatOf(file);
}

function formatOf(file: string): (file: string, rows: AsyncIterable<LabelledImage>) => Promise<void> {
  const ending = /\.[a-z]+$/i.exec(file)?.[0].toLowerCase() ?? '';
  const isRemote = /^[a-z][a-z0-9+.-]*:\/\//i.test(file);
  if (Object.hasOwn(FORMATS, ending) && !isRemote) return FORMATS[ending as keyof typeof FORMATS];
  const why = isRemote
    ? 'is not a path on this machine'
    : `ends in none of ${Object.keys(FORMATS).join(', ')}`;
  throw new Failure('Dataset.Invalid', `${file} ${why}.`, {
    subject: file,
    hint: 'A manifest is written to a local .jsonl, .ndjson or .parquet file; copy it to a bucket afterwards.',
  });
}

async function writeJsonl(file: string, rows: AsyncIterable<LabelledImage>): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    for await (const some of chunked(rows, TEXT_ROWS)) {
      const lines = some.map(({ uri, labels, absent, etag }) =>
        JSON.stringify({ uri, labels, ...(absent && { absent }), ...(etag !== null && { etag }) }),
      );
      await handle.writeFile(`${lines.join('\n')}\n`);
    }
  } finally {
    await handle.close();
  }
}

const text = (name: string, repetition_type: 'REQUIRED' | 'OPTIONAL'): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type,
});

const listOfText = (name: string, repetition_type: 'REQUIRED' | 'OPTIONAL'): SchemaElement[] => [
  { name, repetition_type, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  text('element', 'REQUIRED'),
];

const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: 4 },
  text('uri', 'REQUIRED'),
  ...listOfText('labels', 'REQUIRED'),
  ...listOfText('absent', 'OPTIONAL'),
  text('etag', 'OPTIONAL'),
];

async function writeParquet(file: string, rows: AsyncIterable<LabelledImage>): Promise<void> {
  const parquet = new ParquetWriter({ writer: fileWriter(file), schema: SCHEMA, createdBy: 'c2srt' });
  for await (const some of chunked(rows, PARQUET_ROWS)) {
    const column = (name: keyof LabelledImage) => ({
      name,
      data: some.map((row) => row[name]) as DecodedArray,
    });
    await parquet.write({
      columnData: [column('uri'), column('labels'), column('absent'), column('etag')],
      rowGroupSize: some.length,
    });
  }
  await parquet.finish();
}

async function* chunked<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
