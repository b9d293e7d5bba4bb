import { writeEvaluationSnapshots } from '../../data/evaluation/evaluationSnapshots.ts';
import { requireEvaluateRun } from '../../data/run/requireRun.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { EvaluateResult, EvaluateStoreActivities } from '../../workflows/evaluate/evaluateTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import { readCategories } from '../prepare.ts';
import { refuseFailures } from './figures/failures.ts';
import { finishEvaluation } from './figures/finishEvaluation.ts';
import { fitCalibration } from './figures/fitCalibration.ts';
import { measureCategories } from './figures/measureCategories.ts';

/** Activities of an evaluation that need the object stores alone, on the `orchestrate` queue. */
export function createEvaluateStoreActivities({
  openStore,
}: {
  openStore(uri: string): ObjectStore;
}): EvaluateStoreActivities {
  const opened = async (uri: string) => {
    const output = openStore(uri);
    const record = await requireEvaluateRun(output);
    return { output, record, spec: record.spec, categories: await readCategories(output), openStore };
  };
  return {
    snapshotEvaluation: ({ output: uri }) =>
      withHeartbeat<number, { images: number; validationImages: number }>(async ({ signal, report }) => {
        const { output, spec, categories } = await opened(uri);
        const { test, validation } = await writeEvaluationSnapshots(output, {
          ...{ spec, categories, openStore, report, signal },
        });
        return { images: test.images, validationImages: validation?.images ?? 0 };
      }),

    fitCalibration: ({ output: uri }) =>
      withHeartbeat<number, undefined>(async ({ signal, report }) => {
        const run = await opened(uri);
        await refuseFailures(run.output, run.spec);
        await fitCalibration({ ...run, signal, report });
        return undefined;
      }),

    measureCategories: ({ output: uri, stripe }) =>
      withHeartbeat<number, undefined>(async ({ signal, report }) => {
        await measureCategories({ ...(await opened(uri)), stripe, signal, report });
        return undefined;
      }),

    finishEvaluation: ({ output: uri }) =>
      withHeartbeat<number, EvaluateResult>(async ({ signal, report }) => {
        let steps = 0;
        return finishEvaluation({ ...(await opened(uri)), signal, report: () => report(++steps) });
      }),
  };
}
