import type { EvaluateSpec } from '../../../data/evaluation/evaluateSpec.ts';
import { readScoredImages } from '../../../data/evaluation/scoreParts.ts';
import { Failure } from '../../../data/failure.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { describeFailed, summariseFailed } from '../../../data/training/failedImages.ts';
import { requirePrepared, shardsOf } from '../prepare/prepared.ts';

/** Throws `Evaluate.TooManyFailures` where more images of a snapshot failed than allowed, or all. */
export async function refuseFailures(output: ObjectStore, { settings }: EvaluateSpec): Promise<void> {
  const { plan } = await requirePrepared(output);
  for (const name of ['test', 'validation'] as const) {
    const { images, failed } = await readScoredImages(output, name, shardsOf(plan, name));
    const all = images + failed.length;
    if (failed.length === 0 || (failed.length <= settings.maxFailureRate * all && images > 0)) continue;
    const { byCode, named } = summariseFailed(failed);
    const uris = named.map(({ uri }) => uri).join(', ');
    throw new Failure(
      'Evaluate.TooManyFailures',
      `${failed.length} of ${all} ${name} images could not be read (${describeFailed(byCode)}): ${uris}${failed.length > named.length ? ', ...' : ''}.`,
      {
        subject: named[0]!.uri,
        hint: 'Figures of the others alone would be of another data set: mend the images and evaluate into another --out, or raise evaluate.maxFailureRate.',
      },
    );
  }
}
