/** What tests of a run's sources need: servers, a workplace with folders of images, and what a run made of each object. */
import { S3Client } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { openStore } from '../../../data/store/open.ts';
import { startOrAttachTemporal } from '../../../infra/temporal.ts';
import { runCli, type CliResult } from '../cli.ts';
import { corpusOf } from '../corpus.ts';
import { readRows, type Row } from './runRows.ts';
import { startTestS3, type TestS3 } from '../servers/s3.ts';
import { TINY_MODEL } from '../slowModel.ts';
import { makeWorkplace, type Workplace } from '../workplace.ts';

export const image = corpusOf(1, 0)[0]!.body;

type Env = Readonly<Record<string, string>>;

export interface SourceRuns {
  /** With folders `photos` (`a.jpg`, `deep/b.jpg`) and `scans` (`a.jpg`). */
  place: Workplace;
  s3: TestS3;
  c2srt(args: string[], env?: Env): Promise<CliResult>;
  tag(sources: string[], out: string, flags?: string[], env?: Env): Promise<CliResult>;
  /** What became of each object of a run: `source key -> code`, the source by its last name; null for tags. */
  outcomes(out: string): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

export async function startSourceRuns(): Promise<SourceRuns> {
  const [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  const temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  const { categories } = JSON.parse(
    readFileSync(new URL('../../golden/tiny/text.json', import.meta.url), 'utf8'),
  ) as { categories: string[] };
  await writeFile(place.path('categories.txt'), categories.join('\n'));
  for (const folder of ['photos', 'scans', 'photos/deep']) await mkdir(place.path(folder));
  for (const name of ['photos/a.jpg', 'photos/deep/b.jpg', 'scans/a.jpg'])
    await writeFile(place.path(name), image);

  const c2srt: SourceRuns['c2srt'] = (args, env = s3.env) => runCli(args, { cwd: place.dir, env });
  return {
    place,
    s3,
    c2srt,
    tag: (sources, out, flags = [], env = s3.env) =>
      c2srt(
        ['tag', ...sources, '--categories', 'categories.txt', '--out', out].concat(
          ['--model', TINY_MODEL, '--json'],
          flags,
        ),
        env,
      ),
    async outcomes(out) {
      const output = openStore(out.startsWith('s3:') ? out : place.path(out), { env: s3.env });
      const rows = await readRows(output);
      const named: Row[] = [...rows.tags.map((row) => ({ ...row, code: null })), ...rows.failures];
      const found = named.map(
        ({ source, key, code }) => [`${(source as string).split('/').at(-1)!} ${key}`, code] as const,
      );
      expect(new Set(found.map(([name]) => name)).size).toBe(found.length);
      return Object.fromEntries(found);
    },
    async stop() {
      await temporal.stop();
      await Promise.all([place.clear(), s3.stop()]);
    },
  };
}

/** A client for what the stores here cannot ask for. */
export const s3ClientOf = (env: Env): S3Client =>
  new S3Client({
    endpoint: env['AWS_ENDPOINT_URL_S3']!,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! },
  });
