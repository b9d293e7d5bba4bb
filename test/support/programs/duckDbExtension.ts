import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, version } from '@duckdb/node-api';
import { glob } from 'node:fs/promises';
import { pythonWith } from './python.ts';

/**
 * Makes `home` a home folder in which DuckDB finds its httpfs extension, from the package that has it for this very
 * version; false where that cannot be had.
 */
export async function installHttpfs(home: string): Promise<boolean> {
  const release = version().replace(/^v/, '');
  const python = await pythonWith(`duckdb-httpfs-${release}`, 'DuckDB reading from S3', [
    `duckdb-extension-httpfs==${release}`,
  ]);
  if (python === undefined) return false;
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const [[platform]] = (await connection.runAndReadAll('PRAGMA platform')).getRows() as [[string]];
  connection.closeSync();
  instance.closeSync();
  const found = glob('lib/**/httpfs.duckdb_extension', { cwd: join(python, '../..') });
  for await (const file of found) {
    const dir = join(home, '.duckdb', 'extensions', `v${release}`, platform);
    await mkdir(dir, { recursive: true });
    await copyFile(join(python, '../..', file), join(dir, 'httpfs.duckdb_extension'));
    return true;
  }
  return false;
}
