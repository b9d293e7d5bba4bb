/** Schedules of a real server, and the runs that they start: one chain, whatever fires at once and whatever dies. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import {
  Client,
  ScheduleOverlapPolicy,
  type Connection,
  type ScheduleHandle,
  type WorkflowHandle,
} from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readChain } from '../../data/chain/chain.ts';
import { readPlanIndex } from '../../data/run/plan/plan.ts';
import { runIdOf } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { connectTemporal } from '../../infra/temporalConnection.ts';
import { jsonOf, runCli, startCli, until, type CliProcess, type CliResult } from '../support/cli.ts';
import { writeCorpus } from '../support/corpus.ts';
import { putInventory, type InventoryReport } from '../support/inventory.ts';
import { committedShards } from '../support/runs/runWatch.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';
import { pauseSignal } from '../../workflows/control/requests.ts';
import { progressQuery } from '../../workflows/signals.ts';
import { asked } from '../support/runs/asked.ts';

const IMAGES = 40;
const MORE = 4;
const SHARD_SIZE = 4;

/** No schedule here fires by itself. */
const NEVER = ['--cron', '0 0 29 2 *'];

let place: Workplace;
let temporal: LocalTemporal;
let connection: Connection;
let client: Client;
beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  connection = await connectTemporal({
    connection: { address: temporal.address },
    namespace: temporal.namespace,
  });
  client = new Client({ connection });
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  await writeSlowModel(place.path('slow'), 6);
  await writeCorpus(place.path('images'), IMAGES, 0);
});
afterAll(async () => {
  await connection.close();
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const schedule = (...args: string[]): Promise<CliResult> => runCli(['schedule', ...args], options());
const REQUEST = [
  '--what',
  'tag',
  '--source',
  'images',
  '--categories',
  'categories.txt',
  '--model',
  'slow',
].concat(['--shard-size', String(SHARD_SIZE), '--concurrency', '1']);
const done = async (...args: string[]): Promise<CliResult> => {
  const result = await schedule(...args);
  expect(result.code, result.stderr).toBe(0);
  return result;
};
const describeSchedule = async (name: string): Promise<Record<string, unknown>> =>
  jsonOf(await done('describe', name, '--json'));

describe('a schedule', () => {
  it.each([
    ['a cron expression of two fields', ['--cron', '0 3'], /CronString does not have 5-7 fields/],
    ['a time zone of another planet', [...NEVER, '--timezone', 'Mars/Base'], /unknown time zone Mars\/Base/],
  ])('with %s is refused', async (_, when, message) => {
    const result = await schedule('create', 'refused', ...when, ...REQUEST, '--out', 'refused');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toContain('[Schedule.Invalid]');
  });

  it('of an inventory is refused, and of two sources of which one lies within the other', async () => {
    const store = openStore(place.dir);
    const report: InventoryReport = { bucket: 'photos', destination: 'reports', format: 'CSV', files: [[]] };
    const manifest = await putInventory(store, 'reports', report);
    const create = (name: string, source: string): Promise<CliResult> =>
      schedule('create', name, ...NEVER, ...REQUEST, '--out', name, '--source', source);
    const [inventory, nested] = await Promise.all([
      create('inventory', manifest),
      create('nested', 'images/more'),
    ]);
    for (const { code } of [inventory, nested]) expect(code).toBe(2);
    expect(inventory.stderr).toMatch(
      /manifest\.json is an inventory: no run would find anything new in it\./,
    );
    expect(nested.stderr).toContain('[Usage.OverlappingSources]');
  });

  it('is created, looked at, paused, resumed, updated and deleted', async () => {
    const create = ['create', 'weekly', '--cron', '0 3 * * MON', '--timezone', 'Europe/Berlin', ...REQUEST];
    const created = await done(...create, '--out', 'weekly', '--catchup', '2h', '--pause-on-failure');
    expect(created.stdout).toMatch(/^Schedule weekly fires next at \d{4}-\d\d-\d\dT0[12]:00:00.000Z\.\n$/);
    const [again, bare, listed, described] = await Promise.all([
      schedule(...create, '--out', 'weekly'),
      schedule('create', 'bare', '--what', 'tag', ...NEVER),
      // What is listed is known a little later than what is there.
      until('it is listed', async () => {
        const list = JSON.parse((await done('list', '--json')).stdout) as { schedule: string }[];
        return list.length > 0 && list;
      }),
      describeSchedule('weekly'),
    ]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('[Schedule.Exists]') as string });
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('--source is missing') as string });
    expect(listed).toMatchObject([{ schedule: 'weekly', what: 'tag', paused: false, last: null }]);
    expect(described).toMatchObject({
      schedule: 'weekly',
      what: 'tag',
      cron: ['0 3 * * MON'],
      timezone: 'Europe/Berlin',
      overlap: 'skip',
      catchupSeconds: 7200,
      pauseOnFailure: true,
      fired: 0,
      recent: [],
    });

    await done('pause', 'weekly', '--note', 'while the bucket moves');
    expect(await describeSchedule('weekly')).toMatchObject({
      paused: true,
      note: 'while the bucket moves',
      next: [],
    });
    const update = ['update', 'weekly', '--every', '3d', '--overlap', 'buffer-one', ...REQUEST];
    await done(...update, '--out', 'weekly');
    expect(await describeSchedule('weekly')).toMatchObject({
      cron: [],
      everySeconds: [3 * 24 * 3600],
      overlap: 'buffer-one',
      paused: true,
      note: 'while the bucket moves',
    });
    await done('resume', 'weekly');
    expect(await describeSchedule('weekly')).toMatchObject({ paused: false, note: 'resumed by hand' });
    await done('delete', 'weekly');
    for (const result of await Promise.all(['describe', 'trigger'].map((of) => schedule(of, 'weekly'))))
      expect(result).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('[Schedule.NotFound]') as string,
      });
  }, 240_000);
});

describe('the runs of a schedule', () => {
  let worker: CliProcess;
  const startWorker = (): CliProcess =>
    startCli(['worker', '--batch-size', '2', '--threads', '1'], options());
  const nightly = (): ScheduleHandle => client.schedule.getHandle('nightly');
  const runs = async (): Promise<string[]> =>
    (await readdir(place.path('chain')).catch(() => [])).filter((name) => name.startsWith('increment-'));
  const uriOf = (run: string): string => openStore(place.path('chain', run)).uri;
  const shardsOf = (run: string): Promise<string[]> => committedShards(place.path('chain', run));
  const tagOf = (run: string): WorkflowHandle => client.workflow.getHandle(runIdOf('tag', uriOf(run)));
  const receiptsOf = (run: string, shards: readonly string[]): Promise<string[]> =>
    Promise.all(
      shards.map((shard) => readFile(place.path('chain', run, '_receipts', `${shard}.json`), 'utf8')),
    );
  /** Waits until as many runs as that have ended; how, in the order in which they were started. */
  const outcomes = async (count: number, name = 'nightly'): Promise<string[]> => {
    await until(`${count} runs of ${name} have ended`, async () => {
      const { recentActions } = (await client.schedule.getHandle(name).describe()).info;
      const states = await Promise.all(
        recentActions.map(({ action }) => client.workflow.getHandle(action.workflow.workflowId).describe()),
      );
      return states.length === count && states.every(({ status }) => status.name !== 'RUNNING');
    });
    const { recent } = (await describeSchedule(name)) as { recent: { outcome: string }[] };
    return recent.map(({ outcome }) => outcome).reverse();
  };

  it('a run at work is not joined by another; what died with its worker is gone on with', async () => {
    await done('create', 'nightly', ...NEVER, ...REQUEST, '--out', 'chain');
    worker = startWorker();
    await done('trigger', 'nightly');
    const run = await until('it begins', async () => {
      const [begun] = await runs();
      return begun !== undefined && (await shardsOf(begun)).length > 0 && begun;
    });
    // Paused, it is at work for as long as this takes.
    await tagOf(run).signal(pauseSignal, asked());
    await until('it pauses', async () => (await tagOf(run).query(progressQuery)).paused !== null);
    // By the schedule's policy nothing happens; against it, the second run says who is at work.
    await done('trigger', 'nightly');
    await until(
      'one is skipped',
      async () => (await nightly().describe()).info.numActionsSkippedOverlap === 1,
    );
    await nightly().trigger(ScheduleOverlapPolicy.ALLOW_ALL);
    const [first, ...others] = await until('the second fails', async () => {
      const { recentActions } = (await nightly().describe()).info;
      const handles = recentActions.map(({ action }) =>
        client.workflow.getHandle(action.workflow.workflowId),
      );
      const states = await Promise.all(handles.map((handle) => handle.describe()));
      return states.some(({ status }) => status.name === 'FAILED') && handles;
    });
    expect(others).toHaveLength(1);

    worker.kill('SIGKILL');
    await worker.ended;
    await first!.terminate('as a server would that forgot it');
    const left = await shardsOf(run);
    expect(left.length).toBeLessThan(IMAGES / SHARD_SIZE);
    const receipts = await receiptsOf(run, left);

    worker = startWorker();
    await nightly().trigger();
    const [terminated, refused, last] = await outcomes(3);
    expect(terminated).toMatch(/^failed: Run\.Terminated/);
    expect(refused).toMatch(/^failed: Schedule\.Overlap: increment-nightly-\S+ is at work on file:/);
    // It finished what was left, and found nothing new after it.
    expect(last).toBe('unchanged');
    expect(await runs()).toEqual([run]);
    expect(await shardsOf(run)).toHaveLength(IMAGES / SHARD_SIZE);
    expect(await receiptsOf(run, left)).toEqual(receipts);
  }, 360_000);

  it('two that fire at once make one chain', async () => {
    const [before] = await runs();
    await done('create', 'weekly', ...NEVER, ...REQUEST, '--out', 'chain');
    await writeCorpus(place.path('images', 'more'), MORE, 0);
    const both = ['nightly', 'weekly'].map((name) => client.schedule.getHandle(name));
    await Promise.all(both.map((handle) => handle.trigger(ScheduleOverlapPolicy.ALLOW_ALL)));
    const ended = [(await outcomes(4)).at(-1)!, ...(await outcomes(1, 'weekly'))];
    const others = ended.filter((outcome) => outcome !== 'tagged');
    expect(others).toHaveLength(1);
    expect(others[0]).toMatch(/^failed: Schedule\.Overlap|^unchanged$/);
    const newest = (await runs()).filter((name) => name !== before);
    expect(newest).toHaveLength(1);
    const chain = await readChain(openStore(uriOf(newest[0]!)), openStore);
    expect(chain.map(({ output, index }) => [output.uri, index.keys])).toEqual([
      [uriOf(before!), IMAGES],
      [uriOf(newest[0]!), MORE],
    ]);
  }, 240_000);

  it('times that have passed are made up for, and what is gone is a change', async () => {
    await done('update', 'nightly', '--every', '12h', ...REQUEST, '--out', 'chain');
    await rm(place.path('images', 'more'), { recursive: true });
    const span = ['--from', '2026-01-01T01:00:00Z', '--to', '2026-01-02T01:00:00Z'];
    await done('backfill', 'nightly', ...span, '--overlap', 'buffer-all');
    expect((await outcomes(6)).slice(4)).toEqual(['tagged', 'unchanged']);
    const [newest] = (await runs()).filter((name) => name.includes('2026-01-01'));
    expect(await readPlanIndex(openStore(uriOf(newest!)))).toMatchObject({
      keys: 0,
      since: { deleted: { keys: MORE } },
    });
    expect(await runs()).toHaveLength(3);
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  }, 240_000);
});
