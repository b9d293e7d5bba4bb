import type { DuckDBConnection } from '@duckdb/node-api';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pMap from 'p-map';
import { DELETIONS } from '../../data/run/layout.ts';
import { duckDbPath, quoted } from '../../data/chain/viewSql.ts';
import { openStore } from '../../data/store/open.ts';
import { s3Connection } from '../../data/store/s3/s3Client.ts';

const CONCURRENCY = 16;
const READ = ['tags/', 'failures/', DELETIONS];

/** Where DuckDB finds the folders of runs, and what there is to clean up afterwards. */
export interface FolderAccess {
  pathOf(uri: string): string;
  close(): Promise<void>;
}

/**
 * Lets DuckDB read the folders of runs. For those in S3 its `httpfs` extension is given the credentials of the AWS
 * chain; where the extension is not installed and cannot be fetched, their parts are copied to this machine first.
 */
export async function openFolders(
  connection: DuckDBConnection,
  uris: readonly string[],
  notify: (line: string) => void,
): Promise<FolderAccess> {
  const remote = uris.filter((uri) => uri.startsWith('s3:'));
  if (remote.length === 0 || (await loadHttpfs(connection, notify)))
    return { pathOf: duckDbPath, close: () => Promise.resolve() };
  const dir = await mkdtemp(join(tmpdir(), 'c2srt-query-'));
  const close = (): Promise<void> => rm(dir, { recursive: true, force: true });
  const folders = new Map(remote.map((uri, i) => [uri, join(dir, String(i))]));
  try {
    let sizeBytes = 0;
    for (const [uri, folder] of folders) sizeBytes += await copyRows(uri, folder);
    notify(`It cannot be had: ${(sizeBytes / 2 ** 20).toFixed(1)} MiB of rows were copied here instead.`);
  } catch (error) {
    await close();
    throw error;
  }
  return { pathOf: (uri) => folders.get(uri) ?? duckDbPath(uri), close };
}

/** Loads the extension, installing it where it is not, and gives it credentials; false where it cannot be had. */
async function loadHttpfs(connection: DuckDBConnection, notify: (line: string) => void): Promise<boolean> {
  try {
    await connection.run('LOAD httpfs');
  } catch {
    notify("Fetching DuckDB's httpfs extension, once.");
    try {
      await connection.run('INSTALL httpfs');
      await connection.run('LOAD httpfs');
    } catch {
      return false;
    }
  }
  await connection.run(await secretSql());
  return true;
}

/** The credentials, region and endpoint that this project's own requests have. */
async function secretSql(): Promise<string> {
  const { config } = s3Connection().client;
  const [{ accessKeyId, secretAccessKey, sessionToken }, region, endpoint] = await Promise.all([
    config.credentials(),
    config.region(),
    config.endpoint?.(),
  ]);
  const options = {
    KEY_ID: quoted(accessKeyId),
    SECRET: quoted(secretAccessKey),
    ...(sessionToken !== undefined && { SESSION_TOKEN: quoted(sessionToken) }),
    REGION: quoted(region),
    ...(endpoint && {
      ENDPOINT: quoted(`${endpoint.hostname}${endpoint.port === undefined ? '' : `:${endpoint.port}`}`),
      USE_SSL: String(endpoint.protocol === 'https:'),
    }),
    URL_STYLE: quoted(config.forcePathStyle ? 'path' : 'vhost'),
  };
  const list = Object.entries(options).map(([name, value]) => `${name} ${value}`);
  return `CREATE SECRET (TYPE s3, ${list.join(', ')})`;
}

/** Copies the rows of a run's folder into one on this machine; returns their bytes. */
async function copyRows(uri: string, folder: string): Promise<number> {
  const store = openStore(uri);
  const keys: string[] = [];
  for (const prefix of READ) for await (const { key } of store.list({ prefix })) keys.push(key);
  const sizes = await pMap(
    keys,
    async (key) => {
      const { body } = await store.get(key);
      await mkdir(dirname(join(folder, key)), { recursive: true });
      await writeFile(join(folder, key), body);
      return body.length;
    },
    { concurrency: CONCURRENCY },
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
