import type { RequestCounts } from '../activities/dryRun/countedStore.ts';
import { surveyPlan, type Survey } from '../activities/dryRun/survey.ts';
import { tagSample, type SampleResult } from '../activities/dryRun/tagSample.ts';
import { earlierListing } from '../activities/plan/earlierListing.ts';
import { runListing } from '../activities/plan/listing.ts';
import type { Settings } from '../data/config/schema.ts';
import { requireTagRun } from '../data/run/requireRun.ts';
import { sourceAccess } from '../data/run/record.ts';
import { openStore } from '../data/store/open.ts';
import { sentRequests } from '../data/store/s3/s3Client.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { openDevice } from './device.ts';

/** Images that are really tagged. */
const SAMPLE_IMAGES = 64;

/** What a run would plan, and what tagging some of it has come to. */
export interface DryRun {
  survey: Survey;
  /** In seconds. */
  listingSeconds: number;
  /** To S3. */
  listingRequests: RequestCounts;
  /** Absent where there is nothing to tag. */
  sample?: SampleResult;
}

export interface DryRunOptions {
  settings: Settings;
  signal: AbortSignal;
  /** Told of each step, and often while objects are listed. */
  report(progress: { listed: number } | 'tagging'): void;
}

/**
 * Goes through what a run would plan, and tags a sample of it on this process's device.
 *
 * @param folder a folder of its own in place of the run's, with its record and inputs; the sample's parts go there.
 */
export async function dryRun(
  folder: ObjectStore,
  { settings, signal, report }: DryRunOptions,
): Promise<DryRun> {
  const { spec } = await requireTagRun(folder);
  const openSource = (uri: string): ObjectStore => openStore(uri, sourceAccess(spec));
  const startedMs = performance.now();
  const before = sentRequests();
  const survey = await surveyPlan(runListing(spec, { openStore, openSource, output: folder }), {
    include: spec.include,
    exclude: spec.exclude,
    since: spec.since === null ? undefined : earlierListing(openStore(spec.since), spec.sources),
    sourceCount: spec.sources.length,
    sampleSize: SAMPLE_IMAGES,
    signal,
    report: (listed) => report({ listed }),
  });
  const requests = Object.entries(sentRequests())
    .map(([operation, count]) => [operation, count - (before[operation] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  const listed = {
    survey,
    listingSeconds: (performance.now() - startedMs) / 1000,
    listingRequests: Object.fromEntries(requests),
  };
  if (survey.sample.length === 0) return listed;
  report('tagging');
  const device = openDevice(settings);
  try {
    const { dependencies, cache, inference } = device;
    const within = AbortSignal.any([signal, device.lost]);
    const sample = await tagSample(folder, survey.sample, { ...dependencies, cache, inference }, within);
    return { ...listed, sample };
  } finally {
    await device.close();
  }
}
