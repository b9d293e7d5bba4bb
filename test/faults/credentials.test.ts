/** Credentials that expire under a whole run: it waits and says so, goes on with the renewed ones, and blames no image. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { startCli, until } from '../support/cli.ts';
import { putCorpus } from '../support/corpus.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { startMoto } from '../support/servers/moto.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const EXPIRED =
  '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>';

// A server that takes any token.
const moto = await startMoto();
let place: Workplace;
let proxy: FaultyProxy | undefined;
beforeAll(async () => {
  place = await makeWorkplace();
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
});
afterAll(async () => {
  await place.clear();
  await proxy?.stop();
  await moto?.stop();
});

/** A profile as a login tool writes it. */
async function writeCredentials(token: string): Promise<void> {
  const lines = [
    '[default]',
    'aws_access_key_id = key',
    'aws_secret_access_key = secret',
    `aws_session_token = ${token}`,
  ];
  await writeFile(place.path('credentials'), lines.join('\n'));
}

it.skipIf(!moto)(
  'waits for credentials that expired while images were tagged',
  async () => {
    const { env: open } = moto!;
    proxy = await startFaultyProxy(open['AWS_ENDPOINT_URL_S3']!);
    await ensureBucket('s3://bucket', { env: open });
    const expected = await putCorpus(openStore('s3://bucket/in', { env: open }), 120, 0.2);
    let images = 0;
    const isOld = (head: string) => /x-amz-security-token: old/i.test(head);
    proxy.fault = (line, head) => {
      if (line.startsWith('GET /bucket/in/')) images++;
      return images > 30 && isOld(head) ? { status: 400, body: EXPIRED } : 'pass';
    };
    await writeCredentials('old');
    const env = {
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_SHARED_CREDENTIALS_FILE: place.path('credentials'),
      AWS_CONFIG_FILE: place.path('config'),
    };
    const command = startCli(
      [
        ...['tag', 's3://bucket/in', '--categories', 'categories.txt', '--out', 'out', '--model', TINY_MODEL],
        ...['--shard-size', '40', '--shard-slots', '1', '--fetch-concurrency', '4'],
      ],
      { cwd: place.dir, env },
    );
    await until('the run says what it waits for', () =>
      /Store\.Credentials.*credentials have expired/.test(command.output()),
    );
    expect(proxy.requests.length).toBeGreaterThan(30);
    await writeCredentials('new');
    const result = await command.ended;
    expect(result.code, result.stderr).toBe(3);
    await expectAccounted(openStore(place.path('out')), expected, 'in/');
  },
  240_000,
);
