import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Failure, isFailure, messageOf } from '../failure.ts';
import {
  placeOf,
  readCsvRecords,
  readParquetRecords,
  showValue,
  type FileRecord,
  type RecordFile,
} from '../records.ts';
import type { ObjectStore } from '../store/store.ts';
import { isArchiveClass } from '../store/s3/archived.ts';
import { decodeKey, unquoted } from '../store/s3/escapes.ts';
import { openRanges, type RangedObject } from '../store/ranges.ts';
import { gunzipped } from './gunzip.ts';
import type { ListedEntry } from './sortEntries.ts';

const manifestSchema = z.object({
  sourceBucket: z.string().min(1),
  /** An ARN: `arn:aws:s3:::bucket`. */
  destinationBucket: z.string().min(1),
  fileFormat: z.string(),
  fileSchema: z.string(),
  files: z.array(z.object({ key: z.string().min(1), size: z.number(), MD5checksum: z.string().optional() })),
});

/** An S3 Inventory report: a list of all objects of a bucket, in files. */
export interface Inventory {
  /** URI of its manifest, and the etag that it had. */
  uri: string;
  etag: string;
  /** The bucket that is listed, and the one that the files lie in, as `s3://bucket`. */
  bucket: string;
  destination: string;
  format: 'csv' | 'parquet';
  /** Columns of CSV files. */
  columns: string[];
  files: { key: string; md5: string | undefined }[];
}

export interface InventoryOptions {
  /** Opens the bucket of the inventory's files. */
  openStore: (uri: string) => ObjectStore;
  /** Position of the source among the run's, and what its keys begin with in the bucket: empty, or up to a slash. */
  source: number;
  prefix: string;
  signal?: AbortSignal | undefined;
}

const COLUMNS = [
  ...['bucket', 'version_id', 'is_latest', 'is_delete_marker', 'size', 'last_modified_date', 'e_tag'],
  ...['storage_class', 'intelligent_tiering_access_tier'],
];

const HINT = 'Give the manifest.json of an S3 Inventory report in CSV or Parquet. See docs/sources.md.';

/** Whether a source names an inventory's manifest rather than a prefix. */
export const isInventory = (uri: string): boolean => /(^|\/)manifest\.json$/.test(uri);

/**
 * Reads an inventory's manifest, `key` in `store`.
 *
 * @throws Failure `Inventory.Format` for ORC, `Inventory.Invalid` for what is no manifest
 */
export async function readInventory(uri: string, store: ObjectStore, key: string): Promise<Inventory> {
  const { body, info } = await store.get(key, { maxBytes: 1 << 28 });
  let manifest: z.infer<typeof manifestSchema>;
  try {
    manifest = manifestSchema.parse(JSON.parse(Buffer.from(body).toString()));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw invalid(uri, `not the manifest of an S3 Inventory report: ${reason}`, error);
  }
  const format = manifest.fileFormat.toLowerCase();
  if (format !== 'csv' && format !== 'parquet')
    throw new Failure('Inventory.Format', `${uri} is an inventory in ${manifest.fileFormat}.`, {
      subject: uri,
      hint: 'Have S3 write the inventory as Parquet or CSV; ORC is not read here.',
    });
  const columns = manifest.fileSchema.split(',').map((name) => name.trim());
  if (format === 'csv' && !columns.includes('Key'))
    throw invalid(uri, `its fileSchema has no column Key (it reads: ${JSON.stringify(manifest.fileSchema)})`);
  return {
    uri,
    etag: info.etag,
    bucket: `s3://${manifest.sourceBucket}`,
    destination: `s3://${manifest.destinationBucket.split(':').at(-1)!}`,
    format,
    columns,
    files: manifest.files.map(({ key: file, MD5checksum: md5 }) => ({ key: file, md5 })),
  };
}

/**
 * The objects that an inventory lists below a source, file by file: current versions only, delete markers left out.
 * An entry's `file` counts the inventory's files. Memory follows the longest line or the largest row group.
 *
 * @throws Failure `Inventory.Invalid`, naming file and line (or row); failures of the store
 */
export async function* readInventoryEntries(
  inventory: Inventory,
  { openStore, source, prefix, signal }: InventoryOptions,
): AsyncGenerator<ListedEntry, void, undefined> {
  const store = openStore(inventory.destination);
  const bucket = inventory.bucket.slice('s3://'.length);
  for (const [file, { key, md5 }] of inventory.files.entries()) {
    const name = inventoryFile(inventory, file);
    const fail = (reason: string, cause?: unknown) => invalid(name, reason, cause);
    const object = await openRanges(store, key, signal);
    if (object.sizeBytes === 0) continue;
    for await (const { at, fields } of recordsOf(inventory, object, { name, md5, fail })) {
      let entry: Omit<ListedEntry, 'file' | 'at'> | undefined;
      try {
        entry = entryOf(fields, { bucket, prefix, source, isEscaped: inventory.format === 'csv' });
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        throw fail(`${placeOf(inventory.format, at)}: ${error.message}`, error);
      }
      if (entry) yield { ...entry, file, at };
    }
  }
}

/** The URI of one of an inventory's files. */
export const inventoryFile = ({ destination, files }: Inventory, file: number): string =>
  `${destination}/${files[file]!.key}`;

async function* recordsOf(
  { format, columns }: Inventory,
  object: RangedObject,
  { name, md5, fail }: { name: string; md5: string | undefined; fail: RecordFile['fail'] },
): AsyncGenerator<FileRecord> {
  if (format === 'parquet') {
    try {
      yield* readParquetRecords({ object, file: name, fail }, { required: ['key'], optional: COLUMNS });
    } catch (error) {
      if (!isFailure(error, 'Parquet.')) throw error;
      throw fail(messageOf(error).replace(/\.$/, ''), error);
    }
    return;
  }
  const hash = createHash('md5');
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of object.chunks()) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const chunks = () => gunzipped(hashed(), fail);
  const file = { object: { ...object, chunks }, file: name, fail };
  const names = columns.map(plainName);
  for await (const record of readCsvRecords(file, { required: [] }, names)) {
    const cells = Object.keys(record.fields).length;
    if (cells !== columns.length)
      throw fail(
        `line ${record.at}: expected ${columns.length} cells (${columns.join(', ')}), found ${cells}`,
      );
    yield record;
  }
  if (md5 !== undefined && hash.digest('hex') !== md5)
    throw fail('its bytes do not have the MD5 checksum that the manifest names');
}

/** Fields have one name in CSV and another in Parquet: `VersionId`, `version_id`. */
const plainName = (name: string): string => name.toLowerCase().replaceAll('_', '');

/** The entry of a row; undefined for one that is no object of the source. */
function entryOf(
  fields: FileRecord['fields'],
  options: { bucket: string; prefix: string; source: number; isEscaped: boolean },
): Omit<ListedEntry, 'file' | 'at'> | undefined {
  const cells = new Map(Object.entries(fields).map(([name, value]) => [plainName(name), value]));
  const text = (name: string): string => {
    const value = cells.get(name) ?? '';
    if (typeof value === 'string') return value;
    throw new TypeError(`${name}: expected a string, found ${showValue(value)}`);
  };
  const isSet = (name: string, otherwise: boolean): boolean => {
    const value = cells.get(name) ?? '';
    if (value === '') return otherwise;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw new TypeError(`${name}: expected true or false, found ${showValue(value)}`);
  };
  if (isSet('isdeletemarker', false) || !isSet('islatest', true)) return undefined;
  const bucket = text('bucket');
  if (bucket !== '' && bucket !== options.bucket)
    throw new TypeError(`expected an object of bucket ${options.bucket}, found one of ${bucket}`);
  const key = keyOf(text('key'), options.isEscaped);
  if (!key.startsWith(options.prefix) || key === options.prefix) return undefined;
  const versionId = text('versionid');
  const etag = unquoted(text('etag'));
  return {
    ...(options.source !== 0 && { source: options.source }),
    key: key.slice(options.prefix.length),
    etag: etag === '' ? null : etag,
    sizeBytes: sizeOf(cells.get('size')),
    lastModifiedMs: timeOf(cells.get('lastmodifieddate')),
    ...(versionId !== '' && { versionId }),
    ...(isArchiveClass(text('storageclass'), text('intelligenttieringaccesstier')) && { archived: true }),
  };
}

function keyOf(written: string, isEscaped: boolean): string {
  const expected = (what: string, cause?: unknown) =>
    new TypeError(`Key ${JSON.stringify(written)}: expected ${what}`, { cause });
  let key = written;
  if (isEscaped)
    try {
      key = decodeKey(written);
    } catch (error) {
      throw expected('a URL-encoded key', error);
    }
  if (key === '' || key.includes('\0') || !key.isWellFormed() || Buffer.byteLength(key) > 1024)
    throw expected('a key of 1 to 1,024 bytes of UTF-8 without NUL');
  return key;
}

function sizeOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const size = Number(value);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new TypeError(`Size: expected a whole number of bytes, found ${showValue(value)}`);
}

function timeOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const ms =
    value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : Number(value);
  if (Number.isFinite(ms)) return ms;
  throw new TypeError(`LastModifiedDate: expected a time, found ${showValue(value)}`);
}

function invalid(file: string, reason: string, cause?: unknown): Failure {
  return new Failure('Inventory.Invalid', `${file}: ${reason}.`, { subject: file, hint: HINT, cause });
}
