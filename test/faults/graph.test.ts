/** What goes wrong while a language model is asked for a graph: each ends in the right graph, or says what to do. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { freePort } from '../../infra/ports.ts';
import { jsonOf, runCli, startCli, until, type CliProcess } from '../support/cli.ts';
import {
  buildArgs,
  builtGraph,
  manifestOf,
  startOracle,
  writeCategories,
} from '../support/runs/graphBuilds.ts';
import { callsByCategory, type LlmFault, type LlmServer } from '../support/servers/llmServer.ts';
import { recordedActivities } from '../support/runs/runWatch.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

const COUNT = 20;

let place: Workplace;
let server: LlmServer;
let names: string[];
beforeEach(async () => {
  place = await makeWorkplace();
  names = await writeCategories(place, 'categories.json', COUNT);
  server = await startOracle();
});
afterEach(async () => {
  await place.clear();
  await server.close();
});

const build = (out: string, ...more: string[]): string[] =>
  buildArgs(server, 'categories.json', out, '--llm-batch', '4', '--json', ...more);
const start = (args: readonly string[], env: Record<string, string> = {}): CliProcess =>
  startCli(args, { cwd: place.dir, env });

/** Requests that each category took. */
const requests = (): number[] => Object.values(callsByCategory(server));

it('429, 500, a slow answer, a lost connection, a page of HTML: each is asked again, nobody else is', async () => {
  const faults: LlmFault[] = [
    { status: 429, headers: { 'retry-after': '1' } },
    { status: 500 },
    { hangMs: 60_000 },
    { cut: true },
    { html: '<h1>Starting</h1>' },
  ];
  server.fault = ({ category, nth }) => (nth === 1 ? faults[names.indexOf(category)] : undefined);
  const { code, stderr, stdout } = await start(build('out', '--llm-timeout-ms', '1500')).ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ categories: COUNT, calls: COUNT, fallbacks: 0 });
  expect(callsByCategory(server)).toEqual(
    Object.fromEntries(names.map((name, i) => [name, i < faults.length ? 2 : 1])),
  );
}, 240_000);

it('what the model refuses, or says twice in no form, WordNet says instead: the rest is as the model says', async () => {
  const [refused, empty, wrong, truncated] = names as [string, string, string, string];
  server.fault = ({ category, nth }) =>
    category === refused
      ? { refusal: 'I cannot discuss this.' }
      : category === empty
        ? { text: '' }
        : category === wrong
          ? { text: '{"links": []}' }
          : category === truncated && nth === 1
            ? { text: '{"edges": [' }
            : undefined;
  const { code, stderr, stdout } = await start(build('out')).ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ calls: COUNT, fallbacks: 3 });
  expect(requests().reduce((a, b) => a + b)).toBe(COUNT + 2);
  const manifest = await manifestOf(place.path('out'));
  expect(manifest).toMatchObject({ repairedAnswers: 1 });
  expect(
    (manifest['fallbacks'] as { category: string; code: string }[]).map(({ category, code }) => [
      category,
      code,
    ]),
  ).toEqual([
    [refused, 'Llm.Refused'],
    [empty, 'Llm.Malformed'],
    [wrong, 'Llm.Malformed'],
  ]);
  const { edges } = await builtGraph(place.path('out'));
  expect(edges.some(({ source }) => source === refused)).toBe(true);
}, 240_000);

it('a worker killed in mid-question and Temporal restarted: only the question in hand is asked again', async () => {
  const port = await freePort();
  const startTemporal = (): Promise<LocalTemporal> =>
    startOrAttachTemporal({ dir: place.path('temporal'), port });
  let temporal = await startTemporal();
  const env = { TEMPORAL_ADDRESS: temporal.address };
  server.delayMs = 150;
  const others = start(['worker', '--queues', 'orchestrate,gpu'], env);
  const asks = ['worker', '--queues', 'llm', '--llm-base-url', server.baseUrl];
  const first = start(asks, env);
  const follower = start(build('out', '--heartbeat-timeout-s', '3', '--llm-concurrency', '2'), env);
  await until('some questions are asked', () => server.calls.length >= 6);
  first.kill('SIGKILL');
  await first.ended;
  const lost = server.calls.length;
  await endTemporal(place.path('temporal'));
  temporal = await startTemporal();
  const second = start(asks, env);

  const { code, stderr, stdout } = await follower.ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ calls: COUNT, fallbacks: 0 });
  expect(lost).toBeLessThan(COUNT);
  // Two were in hand at most, one per lane.
  expect(server.calls.length).toBeLessThanOrEqual(COUNT + 2);
  expect(Math.max(...requests())).toBeLessThanOrEqual(2);
  const asked = (await recordedActivities(temporal.address)).filter(({ type }) => type === 'askCategories');
  expect(asked.some(({ attempt }) => attempt > 1)).toBe(true);
  for (const worker of [others, second]) {
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  }
  await temporal.stop();
}, 240_000);

it('the ceiling holds: no request that could pass it is sent, and a higher one goes on from there', async () => {
  // Dollars per million tokens; a request takes 100 and 50 tokens, and could take thousands.
  const prices = ['--llm-input-price', '10', '--llm-output-price', '20'];
  const ceiling = 0.08;
  const first = await start(build('out', ...prices, '--llm-max-cost-usd', String(ceiling))).ended;
  expect(first).toMatchObject({ code: 1, stdout: '' });
  expect(first.stderr).toMatch(/\$0\.\d+ of at most \$0\.08 are spent: \d+ of 20 .*--llm-max-cost-usd/s);
  const asked = server.calls.length;
  // Not only the first one: what a request did not take of its reservation is there for the next.
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(COUNT);
  expect(asked * 0.002).toBeLessThan(ceiling);

  const resumed = await start([
    ...['resume', './out', '--json', '--llm-base-url', server.baseUrl, '--llm-max-cost-usd', '1', ...prices],
  ]).ended;
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ calls: COUNT, tokens: { input: 2000, output: 1000 } });
  expect(requests()).toEqual(Array.from({ length: COUNT }, () => 1));
}, 240_000);

it('a refused key ends the run at once; on another Temporal server the folder is enough to go on', async () => {
  const isOpen = (): boolean => server.calls.length <= 6;
  server.fault = ({ authorization }) =>
    isOpen() || authorization === 'Bearer right'
      ? undefined
      : { status: 401, error: { message: 'wrong key' } };
  const first = await start(build('out', '--llm-concurrency', '1'), { OPENAI_API_KEY: 'wrong' }).ended;
  expect(first.code).toBe(1);
  expect(first.stderr).toMatch(/wrong key.*\n.*OPENAI_API_KEY, which is set\. \[Llm\.Forbidden\]/);
  expect(first.stderr).not.toMatch(/Bearer|'wrong'/);
  expect(server.calls).toHaveLength(7);

  await endTemporal(place.path('.c2srt'));
  await rm(place.path('.c2srt'), { recursive: true });
  const resumed = await runCli(['resume', './out', '--json', '--llm-base-url', server.baseUrl], {
    cwd: place.dir,
    env: { OPENAI_API_KEY: 'right' },
  });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(jsonOf(resumed)).toMatchObject({ calls: COUNT, fallbacks: 0 });
  // The six answers were not asked for again.
  expect(server.calls).toHaveLength(7 + COUNT - 6);
}, 240_000);
