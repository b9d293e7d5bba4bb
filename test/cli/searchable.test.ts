/** Runs are found by search attributes where the server has them or takes them, and start without them elsewhere. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSearchable } from '../../cli/run/server/searchable.ts';
import type { Session } from '../../cli/run/session.ts';
import { startTrainServer } from '../support/servers/trainServer.ts';

const KEYWORD = 2;

let server: TestWorkflowEnvironment;
let session: Session;
beforeAll(async () => {
  server = await startTrainServer();
  const { client, connection } = server;
  session = {
    ...{ client, connection, namespace: 'default', embedded: false },
    startWorkers: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
});
afterAll(() => server.teardown());

const start = (workflowId: string) =>
  startSearchable(
    session,
    'tagCorpus',
    { kind: 'tag', output: 's3://bucket/out' },
    { workflowId, taskQueue: 'nobody' },
  );

test('a server that has no room for them takes the run without; one that has gets them registered', async () => {
  const { operatorService } = session.connection;
  const names = Array.from({ length: 9 }, (_, i) => `Other${i}`);
  await operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
  });
  const without = await (await start('without')).describe();
  expect(without.memo).toEqual({ output: 's3://bucket/out' });
  expect(without.typedSearchAttributes.getAll()).toEqual([]);

  await operatorService.removeSearchAttributes({ namespace: 'default', searchAttributes: names.slice(4) });
  const found = await (await start('with')).describe();
  const values = found.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
  expect(Object.fromEntries(values)).toMatchObject({ C2srtKind: 'tag', C2srtOutput: 's3://bucket/out' });
});
