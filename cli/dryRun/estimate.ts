import type { DryRun } from '../../workers/dryRun.ts';
import type { TagSpec } from '../../data/run/record.ts';

/** Requests to S3 by operation, as `GetObject`. */
type Requests = Record<string, number>;

/** What `tag --dry-run --json` prints. */
export interface DryRunSummary {
  sources: { source: string; images: number; sizeBytes: number }[];
  images: number;
  /** Where a list lacks sizes they are taken from the sample. */
  sizeBytes: number;
  shards: number;
  /** Of the images: failures without a request. */
  archived: number;
  excluded: number;
  markers: number;
  duplicates: number;
  unchanged: number;
  deleted: number;
  /** Images that were really tagged; null where there are none. */
  sample: {
    images: number;
    tagged: number;
    failuresByCode: Record<string, number>;
    tagsPerImage: number;
    imagesPerSecond: number;
  } | null;
  estimate: {
    /** Of listing once, and of tagging by one worker as this process would be. */
    listingSeconds: number;
    taggingSeconds: number;
    /** Of all parts. */
    outputBytes: number;
    /** Of sources, lists and the earlier run; and to the run's folder. */
    requests: { input: Requests; output: Requests };
  };
}

/** What a dry run says about the run. */
export function estimate(
  { sources, shardSize }: Pick<TagSpec, 'sources' | 'shardSize'>,
  { survey, sample, listingSeconds, listingRequests }: DryRun,
  output: string,
): DryRunSummary {
  const meanBytes = sample && sample.tagged > 0 ? sample.sizeBytes / sample.tagged : 0;
  const surveyed = survey.sources.map(({ images, sizeBytes, unsized }, i) => ({
    source: sources[i]!.uri,
    images,
    sizeBytes: Math.round(sizeBytes + unsized * meanBytes),
  }));
  const { archived, excluded, markers, duplicates, unchanged, deleted } = survey;
  const images = sum(surveyed.map((source) => source.images));
  const shards = Math.ceil(images / shardSize);
  // Folders have no archives.
  const fetched =
    sum(surveyed.filter(({ source }) => isS3(source)).map((source) => source.images)) - archived;
  const imagesPerSecond = sample ? sample.timed / sample.seconds : 0;
  return {
    sources: surveyed,
    images,
    sizeBytes: sum(surveyed.map((source) => source.sizeBytes)),
    shards,
    ...{ archived, excluded, markers, duplicates, unchanged, deleted },
    sample: sample
      ? {
          images: sample.images,
          tagged: sample.tagged,
          failuresByCode: sample.failuresByCode,
          tagsPerImage: sample.tagged > 0 ? sample.tags / sample.tagged : 0,
          imagesPerSecond,
        }
      : null,
    estimate: {
      listingSeconds,
      taggingSeconds: sample ? (images - archived) / imagesPerSecond : 0,
      outputBytes: sample ? Math.round((sample.outputBytes / sample.images) * images) : 0,
      requests: {
        input: added(listingRequests, fetched > 0 ? { GetObject: fetched } : {}),
        output: sample && isS3(output) ? scaled(sample.shardRequests, shards) : {},
      },
    },
  };
}

const isS3 = (uri: string): boolean => uri.startsWith('s3:');

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const added = (a: Requests, b: Requests): Requests => {
  const total = { ...a };
  for (const [operation, count] of Object.entries(b)) total[operation] = (total[operation] ?? 0) + count;
  return total;
};

const scaled = (requests: Requests, by: number): Requests =>
  Object.fromEntries(
    Object.entries(requests)
      .filter(([, count]) => count > 0)
      .map(([operation, count]) => [operation, count * by]),
  );
