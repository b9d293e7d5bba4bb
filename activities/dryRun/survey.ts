import type { PlanEntry } from '../../data/run/plan/plan.ts';
import { randomStream } from '../../data/random.ts';
import type { Listing } from '../plan/listing.ts';
import { plannedChanges, type LeftOut, type PlannedObjects } from '../plan/plannedChanges.ts';

/** Images of a source that a run would tag. */
export interface SurveyedSource {
  images: number;
  /** Of those whose size is listed. */
  sizeBytes: number;
  /** Those whose size is not: key lists may leave it out. */
  unsized: number;
}

/** What a plan would hold. */
export interface Survey extends LeftOut {
  /** In the order of the run's sources. */
  sources: SurveyedSource[];
  /** Of the images, those in an archive storage class: failures without a request. */
  archived: number;
  /** With an earlier run: objects that are as it had them, and those that are gone. */
  unchanged: number;
  deleted: number;
  /** Images that are not archived, each as likely as another, in the order of the plan. */
  sample: PlanEntry[];
}

export interface SurveyOptions extends PlannedObjects {
  sourceCount: number;
  sampleSize: number;
  /** Told for every object. */
  report(objects: number): void;
}

/** Goes through what a run would plan and writes nothing. The same objects give the same sample. Memory is the sample. */
export async function surveyPlan(listing: Listing, options: SurveyOptions): Promise<Survey> {
  const { sourceCount, sampleSize, report } = options;
  const sources = Array.from({ length: sourceCount }, () => ({ images: 0, sizeBytes: 0, unsized: 0 }));
  const survey = { excluded: 0, markers: 0, duplicates: 0, archived: 0, unchanged: 0, deleted: 0 };
  const random = randomStream('dry run');
  const drawn: { entry: PlanEntry; at: number }[] = [];
  let objects = 0;
  let readable = 0;
  for await (const { kind, entry } of plannedChanges(listing, options, {
    after: undefined,
    counts: survey,
  })) {
    report(++objects);
    if (kind !== 'changed') {
      survey[kind]++;
      continue;
    }
    const source = sources[entry.source ?? 0]!;
    source.images++;
    if (entry.sizeBytes === null) source.unsized++;
    else source.sizeBytes += entry.sizeBytes;
    if (entry.archived) {
      survey.archived++;
      continue;
    }
    // Vitter's algorithm R: the n-th image replaces one of the sample with probability sampleSize / n.
    const place = drawn.length < sampleSize ? drawn.length : random.integer(readable + 1);
    if (place < sampleSize) drawn[place] = { entry, at: readable };
    readable++;
  }
  drawn.sort((a, b) => a.at - b.at);
  return { ...survey, sources, sample: drawn.map(({ entry }) => entry) };
}
