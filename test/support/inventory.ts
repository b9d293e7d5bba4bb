import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { ObjectStore } from '../../data/store/store.ts';

/** A row of an S3 Inventory report. */
export interface InventoryRow {
  key: string;
  size?: number;
  etag?: string;
  versionId?: string;
  isLatest?: boolean;
  isDeleteMarker?: boolean;
  storageClass?: string;
  tier?: string;
}

export interface InventoryReport {
  /** Name of the bucket that is listed, and of the one that the report is written to. */
  bucket: string;
  destination: string;
  format: 'CSV' | 'Parquet' | 'ORC';
  /** Rows of each data file. */
  files: InventoryRow[][];
  /** Without `IsLatest` and the like, as for a bucket without versions. */
  versions?: boolean;
}

const MODIFIED = '2024-05-07T21:12:55.000Z';

/** Escapes a key as S3 does in CSV reports: as in forms, but for slashes. */
export const escapeKey = (key: string): string =>
  new URLSearchParams({ k: key }).toString().slice(2).replaceAll('%2F', '/');

/** Writes a report as S3 does below `folder` of the destination, and returns its manifest's key there. */
export async function putInventory(
  store: ObjectStore,
  folder: string,
  report: InventoryReport,
): Promise<string> {
  const { bucket, destination, format, versions = false } = report;
  const columns = [
    ...['Bucket', 'Key'],
    ...(versions ? ['VersionId', 'IsLatest', 'IsDeleteMarker'] : []),
    ...['Size', 'LastModifiedDate', 'ETag', 'StorageClass', 'IntelligentTieringAccessTier'],
  ];
  const files: { key: string; size: number; MD5checksum: string }[] = [];
  for (const [i, rows] of report.files.entries()) {
    const body =
      format === 'Parquet'
        ? parquetOf(bucket, rows, versions)
        : gzipSync(rows.map((row) => csvLine(bucket, row, versions)).join(''));
    const key = `${folder}/data/file-${i}.${format === 'Parquet' ? 'parquet' : 'csv.gz'}`;
    await store.put(key, body);
    files.push({ key, size: body.length, MD5checksum: createHash('md5').update(body).digest('hex') });
  }
  const manifest = `${folder}/2024-05-07T01-00Z/manifest.json`;
  await store.put(
    manifest,
    JSON.stringify({
      sourceBucket: bucket,
      destinationBucket: `arn:aws:s3:::${destination}`,
      version: '2016-11-30',
      creationTimestamp: '1715040000000',
      fileFormat: format,
      fileSchema:
        format === 'CSV' ? columns.join(', ') : 'message s3.inventory { required binary key (STRING); }',
      files,
    }),
  );
  return manifest;
}

function csvLine(bucket: string, row: InventoryRow, versions: boolean): string {
  const { key, size = '', etag = '', versionId = '', storageClass = 'STANDARD', tier = '' } = row;
  const cells = [
    ...[bucket, escapeKey(key)],
    ...(versions ? [versionId, row.isLatest ?? true, row.isDeleteMarker ?? false] : []),
    ...[size, MODIFIED, etag, storageClass, tier],
  ];
  return `${cells.map((cell) => `"${cell}"`).join(',')}\n`;
}

function parquetOf(bucket: string, rows: InventoryRow[], versions: boolean): Uint8Array {
  const column = (name: string, type: string, value: (row: InventoryRow) => unknown) => ({
    name,
    type: type as 'STRING',
    data: rows.map(value) as string[],
  });
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        column('bucket', 'STRING', () => bucket),
        column('key', 'STRING', ({ key }) => key),
        ...(versions
          ? [
              column('version_id', 'STRING', ({ versionId }) => versionId ?? null),
              column('is_latest', 'BOOLEAN', ({ isLatest }) => isLatest ?? true),
              column('is_delete_marker', 'BOOLEAN', ({ isDeleteMarker }) => isDeleteMarker ?? false),
            ]
          : []),
        column('size', 'INT64', ({ size }) => (size === undefined ? null : BigInt(size))),
        column('last_modified_date', 'TIMESTAMP', () => new Date(MODIFIED)),
        column('e_tag', 'STRING', ({ etag }) => etag ?? null),
        column('storage_class', 'STRING', ({ storageClass }) => storageClass ?? 'STANDARD'),
        column('intelligent_tiering_access_tier', 'STRING', ({ tier }) => tier ?? null),
      ],
    }),
  );
}
