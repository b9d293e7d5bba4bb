import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type WorkflowBundleWithSourceMap, bundleWorkflowCode } from '@temporalio/worker';
import { beforeAll, describe, expect, test } from 'vitest';

const folder = new URL('../histories/', import.meta.url).pathname;
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

interface HistoryJson {
  events: { eventType: string; activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
  });
});

const read = (name: string): HistoryJson =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as HistoryJson;
// Names of children are made of the workflow's own id, so a history replays under the id that it was recorded with.
const replay = (history: HistoryJson, id: string) => Worker.runReplayHistory({ workflowBundle }, history, id);
const idOf = (name: string) => /-(whole|paused|cancelled|unchanged)-/.exec(name)![1]!;

// A run outlives the release that started it: what earlier releases recorded must replay. Adding a file adds a test.
test.each(files)('%s replays', async (name) => {
  await expect(replay(read(name), idOf(name))).resolves.toBeUndefined();
});

describe('a history that the workflow did not make is noticed:', () => {
  const name = files.find((file) => file.startsWith('tagCorpus-whole'))!;

  test('another activity than the one that is scheduled', async () => {
    const history = read(name);
    const scheduled = history.events.find(
      ({ activityTaskScheduledEventAttributes: a }) => a?.activityType.name === 'prepareVocabulary',
    );
    scheduled!.activityTaskScheduledEventAttributes!.activityType.name = 'finishRun';
    await expect(replay(history, idOf(name))).rejects.toThrow(/[Nn]ondetermin/);
  });

  test('no child where one is started', async () => {
    const text = JSON.stringify(read(name)).replaceAll('"tagShards"', '"somethingElse"');
    await expect(replay(JSON.parse(text) as HistoryJson, idOf(name))).rejects.toThrow(/[Nn]ondetermin/);
  });

  test.each([
    ['validateRound', 'trainShard'],
    ['mergeRound', 'sweepRounds'],
    ['finishTraining', 'validateRound'],
  ])('a training in which %s was %s', async (activity, other) => {
    const training = files.find((file) => file.startsWith('trainModel-whole'))!;
    const text = JSON.stringify(read(training)).replaceAll(`"${activity}"`, `"${other}"`);
    await expect(replay(JSON.parse(text) as HistoryJson, idOf(training))).rejects.toThrow(/[Nn]ondetermin/);
  });

  test.each([
    ['judgeCandidate', 'publishCandidate'],
    ['beginTraining', 'beginEvaluation'],
  ])('a retraining in which %s was %s', async (activity, other) => {
    const retraining = files.find((file) => file.startsWith('retrain-whole'))!;
    const text = JSON.stringify(read(retraining)).replaceAll(`"${activity}"`, `"${other}"`);
    await expect(replay(JSON.parse(text) as HistoryJson, idOf(retraining))).rejects.toThrow(/[Nn]ondetermin/);
  });
});
