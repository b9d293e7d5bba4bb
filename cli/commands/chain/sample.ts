import { mkdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Command } from 'commander';
import pMap from 'p-map';
import { isFailure } from '../../../data/failure.ts';
import type { SourceAccess } from '../../../data/run/record.ts';
import { openStore } from '../../../data/store/open.ts';
import { EXIT } from '../../exit.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { withTables } from '../../query/runTables.ts';
import { taggedBytes } from '../../query/taggedBytes.ts';
import { folderOfRun } from '../../run/runReference.ts';
import { wholeNumber } from '../../wholeNumber.ts';

const CONCURRENCY = 16;
const INDEX = 'index.jsonl';

interface SampleFlags {
  label: string;
  vocabulary?: string;
  n: string;
  out: string;
  random?: boolean;
  seed: string;
}

/** A line of the index: an image that was asked for, with its file or why there is none. */
interface Sampled {
  key: string;
  source: string;
  version_id: string | null;
  label: string;
  vocabulary: string | null;
  score: number;
  etag: string | null;
  width: number;
  height: number;
  file: string | null;
  failure: string | null;
}

type Found = Omit<Sampled, 'label' | 'file' | 'failure'>;

export function sampleCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('sample')
    .description(
      'Fetch some images that have a tag, with an index.jsonl: those with the highest scores, or any.',
    )
    .argument('<run>', "the run's folder or id, or the folder of a compacted data set")
    .requiredOption('--label <name>', 'the tag')
    .requiredOption('--out <dir>', 'the folder to write to')
    .option('--vocabulary <name>', 'the vocabulary that the tag is of (default: any)')
    .option('--n <n>', 'how many images', '20')
    .option('--random', 'any of them, not those with the highest scores')
    .option('--seed <n>', 'with --random: the same number picks the same images', '0');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: SampleFlags) => {
    const limit = wholeNumber('--n', flags.n);
    const seed = flags.random ? wholeNumber('--seed', flags.seed, 0) : undefined;
    const output = await folderOfRun(run, settingsOf({ ...flags }));
    const [found, access] = await withTables(output, { withChain: true }, async (connection, how) => [
      await findImages(connection, flags, limit, seed),
      how,
    ]);
    await mkdir(flags.out, { recursive: true });
    const sampled = await pMap(found, (image, at) => fetchImage(access, flags, image, at), {
      concurrency: CONCURRENCY,
    });
    await writeFile(join(flags.out, INDEX), sampled.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const failed = sampled.filter(({ failure }) => failure !== null);
    for (const { source, key, failure } of failed) console.error(`${key} of ${source}: ${failure}`);
    console.log(`${sampled.length - failed.length} of ${sampled.length} images: ${join(flags.out, INDEX)}`);
    finish(failed.length > 0 ? EXIT.withFailures : EXIT.ok);
  });
}

/**
 * Images with a tag by falling score; with a seed in an order that only that and the keys decide. Where several
 * vocabularies gave an image the tag, its highest score counts.
 */
async function findImages(
  connection: DuckDBConnection,
  { label, vocabulary }: SampleFlags,
  limit: number,
  seed: number | undefined,
): Promise<Found[]> {
  const order = seed === undefined ? 'score DESC, source, key' : 'md5($seed || source || key), source, key';
  const reader = await connection.runAndReadAll(
    `SELECT key, source, version_id, tag.vocabulary AS vocabulary, tag.score AS score, etag, width, height
     FROM (SELECT *, unnest(tags) AS tag FROM current WHERE code IS NULL)
     WHERE tag.label = $label${vocabulary === undefined ? '' : ' AND tag.vocabulary = $vocabulary'}
     QUALIFY row_number() OVER (PARTITION BY source, key ORDER BY tag.score DESC, tag.vocabulary) = 1
     ORDER BY ${order} LIMIT ${limit}`,
    {
      label,
      ...(vocabulary !== undefined && { vocabulary }),
      ...(seed !== undefined && { seed: String(seed) }),
    },
  );
  return reader.getRowObjects() as unknown as Found[];
}

/** Writes an image as `0001.jpg`, by its place in the sample: keys may be names that no file can have. */
async function fetchImage(
  access: SourceAccess,
  { label, out }: SampleFlags,
  found: Found,
  at: number,
): Promise<Sampled> {
  const { key, source, version_id, vocabulary, score, etag, width, height } = found;
  const line = { key, source, version_id, label, vocabulary, score, etag, width, height };
  const extension = extname(key);
  const file = `${String(at + 1).padStart(4, '0')}${/^\.\w{1,8}$/.test(extension) ? extension : ''}`;
  try {
    const object = { key, source, etag, versionId: version_id };
    await writeFile(join(out, file), await taggedBytes(openStore(source, access), object));
    return { ...line, file, failure: null };
  } catch (error) {
    if (!isFailure(error, 'Store.')) throw error;
    return { ...line, file: null, failure: error.code };
  }
}
