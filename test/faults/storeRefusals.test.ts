/** Stores that say no to a whole run: one that ignores conditions, one that is full, one whose clock is another. */
import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RUN_RECORD } from '../../data/run/layout.ts';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { putCorpus } from '../support/corpus.ts';
import { startFaultyProxy, type Fault, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { startMoto } from '../support/servers/moto.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { all, startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

// A server that does not mind when a request was signed.
const moto = await startMoto();
let place: Workplace;
let s3: TestS3;
let proxy: FaultyProxy;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  proxy = await startFaultyProxy(s3.endpoint);
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
});
afterEach(() => {
  proxy.fault = () => 'pass';
});
afterAll(async () => {
  await proxy.stop();
  await Promise.all([place.clear(), s3.stop(), moto?.stop()]);
});

const tag = (source: string, out: string, env: Readonly<Record<string, string>>): Promise<CliResult> =>
  runCli(
    [
      ...['tag', source, '--categories', 'categories.txt', '--out', out, '--model', TINY_MODEL, '--json'],
      ...['--shard-size', '20', '--shard-slots', '1'],
    ],
    { cwd: place.dir, env },
  );
const throughProxy = (): Record<string, string> => ({ ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint });

const refusal = (status: number, code: string, headers?: Record<string, string>): Fault => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>It said no.</Message></Error>`,
  ...(headers && { headers }),
});

it('one that ignores conditional puts is refused before there is a run', async () => {
  const output = openStore('s3://bucket/ignored', { env: s3.env });
  await putCorpus(openStore('s3://bucket/few', { env: s3.env }), 3, 0);
  let conditional = 0;
  proxy.fault = (line, head) =>
    line.startsWith('PUT') && /if-none-match/i.test(head) && ++conditional > 1
      ? { status: 200, headers: { etag: '"written"' } }
      : 'pass';
  const result = await tag('s3://bucket/few', output.uri, throughProxy());
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(/ignored: the store ignores If-None-Match on puts.*ConditionalPutIgnored/s);
  expect(await all(output.list())).toEqual([]);
});

it('one that is full ends the run, which goes on once there is space', async () => {
  const expected = await putCorpus(openStore('s3://bucket/in', { env: s3.env }), 80, 0.2);
  let receipts = 0;
  proxy.fault = (line) => {
    if (line.startsWith('PUT /bucket/full/_receipts/')) receipts++;
    return line.startsWith('PUT') && receipts > 1 ? refusal(507, 'XMinioStorageFull') : 'pass';
  };
  const full = await tag('s3://bucket/in', 's3://bucket/full', throughProxy());
  expect(full).toMatchObject({ code: 1, stdout: '' });
  expect(full.stderr).toMatch(/the store is full.*Free some space, then resume.*Store\.DiskFull/s);

  proxy.fault = () => 'pass';
  proxy.requests.length = 0;
  const output = openStore('s3://bucket/full', { env: s3.env });
  const kept = (await all(output.list({ prefix: '_receipts/' }))).length;
  expect(kept).toBeGreaterThan(0);
  const result = await tag('s3://bucket/in', 's3://bucket/full', throughProxy());
  expect(result.code, result.stderr).toBe(3);
  expect(jsonOf(result)).toMatchObject({ images: 80, parts: 4 });
  await expectAccounted(output, expected, 'in/');
  const fetched = proxy.requests.filter((line) => line.startsWith('GET /bucket/in/')).length;
  expect(fetched).toBeLessThanOrEqual(80 - 20 * kept);
}, 240_000);

it.skipIf(!moto)(
  'one whose clock is hours ahead is told the time that it wants, and one that no time suits is named',
  async () => {
    const { env } = moto!;
    await ensureBucket('s3://bucket', { env });
    const expected = await putCorpus(openStore('s3://bucket/in', { env }), 20, 0);
    const skewed = await startFaultyProxy(env['AWS_ENDPOINT_URL_S3']!);
    try {
      const through = { ...env, AWS_ENDPOINT_URL_S3: skewed.endpoint };
      let refused = 0;
      skewed.clock = () => new Date(Date.now() + 2 * 3_600_000);
      skewed.fault = (_, head) => {
        const serverMs = skewed.clock!().getTime();
        const [, year, month, day, hour, minute, second] =
          /x-amz-date: (\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/i.exec(head) ?? [];
        const signedMs = Date.parse(`${year!}-${month!}-${day!}T${hour!}:${minute!}:${second!}Z`);
        if (Math.abs(serverMs - signedMs) < 15 * 60_000) return 'pass';
        refused++;
        return refusal(403, 'RequestTimeTooSkewed', { date: new Date(serverMs).toUTCString() });
      };
      const result = await tag('s3://bucket/in', 's3://bucket/out', through);
      expect(result.code, result.stderr).toBe(0);
      expect(refused).toBeGreaterThan(0);
      await expectAccounted(openStore('s3://bucket/out', { env }), expected, 'in/');

      skewed.fault = () => refusal(403, 'RequestTimeTooSkewed');
      const never = await tag('s3://bucket/in', 's3://bucket/never', through);
      expect(never).toMatchObject({ code: 2, stdout: '' });
      expect(never.stderr).toMatch(/this machine's clock is wrong.*Set the clock/s);
      expect(await openStore('s3://bucket/never', { env }).head(RUN_RECORD)).toBeUndefined();
    } finally {
      await skewed.stop();
    }
  },
  240_000,
);
