import { Failure } from '../../../data/failure.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { openModelFolder } from '../../../model/modelFolder.ts';
import { activationShape, type ActivationShape } from '../../../model/ranking/activations.ts';
import type { FeaturesActivities, FeaturesStoreActivities } from '../../../workflows/train/featuresTypes.ts';
import { withHeartbeat } from '../../activityScope.ts';
import { Shared } from '../../shared.ts';
import type { SharedEncoder, TrainDependencies } from '../dependencies.ts';
import { computedActivations, type ActivationSource } from './activationSource.ts';
import { extractFeatures } from './extractFeatures.ts';
import { readFeaturesReceipt } from './featuresReceipt.ts';
import { requireFeaturesRequest, type FeaturesRequest } from './featuresRequest.ts';
import { createImageLoader } from './imageLoader.ts';
import { forgetFeatures } from './forgetFeatures.ts';
import { indexFeatures } from './indexFeatures.ts';
import { planFeatures, withExtracted } from './planFeatures.ts';

/** What extracts the features of one encoder, opened once per worker. */
interface Extractor {
  shape: ActivationShape;
  source: ActivationSource;
  encoder: SharedEncoder;
}

/** Activities of features that run the model, on the `gpu` queue. */
export function createFeaturesActivities(dependencies: TrainDependencies): FeaturesActivities {
  const { openStore, device, resolveModel } = dependencies;
  const extractors = new Shared<Extractor>((_, { encoder }) => encoder.release());

  return {
    planFeatures: ({ artifacts: uri, snapshots, model, again, ...settings }) =>
      withHeartbeat(async () => {
        const { dir, hash } = await resolveModel(model);
        const artifacts = openStore(uri);
        const kept = await planFeatures({
          places: { snapshots: openStore(snapshots), artifacts },
          model: { uri: model, hash, folder: openModelFolder(dir) },
          settings,
          fingerprint: device.fingerprint,
        });
        if (again !== null)
          for (const { hash: name, pieces } of kept) await forgetFeatures(artifacts, name, pieces, again);
        return withExtracted(artifacts, kept);
      }),

    extractFeatures: ({ artifacts: uri, hash, piece }) =>
      withHeartbeat<number, { images: number; failed: number }>(async ({ signal, report }) => {
        const artifacts = openStore(uri);
        const known = await readFeaturesReceipt(artifacts, hash, piece);
        if (known) return { images: known.images, failed: known.failed.length };
        const request = await requireFeaturesRequest(artifacts, hash);
        const key = `${request.model.hash} ${request.trainedBlocks}`;
        const { shape, source } = await extractors.use(key, () => openExtractor(request, dependencies));
        try {
          const { images, failed } = await extractFeatures({
            artifacts,
            hash,
            piece,
            request,
            snapshots: openStore(request.snapshot.folder),
            source,
            shape,
            signal,
            report,
          });
          return { images, failed: failed.length };
        } finally {
          await extractors.release(key);
        }
      }),
  };
}

/** Throws `Model.Changed` where the model is not the one that the features were asked of. */
async function openExtractor(
  { model: { uri, hash }, trainedBlocks }: FeaturesRequest,
  { openStore, device, decoder, resolveModel, concurrency }: TrainDependencies,
): Promise<Extractor> {
  const resolved = await resolveModel(uri);
  if (resolved.hash !== hash)
    throw new Failure('Model.Changed', `The model at ${uri} is not the one that features were asked of.`, {
      subject: uri,
      hint: 'Put the first model back and resume, or start again from the new one.',
    });
  const model = openModelFolder(resolved.dir);
  const side = model.preprocess.cropSize;
  const loader = createImageLoader({
    openStore,
    decoder: decoder(model.preprocess, DEFAULT_IMAGE_LIMITS),
    imageSide: side,
    maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes,
    concurrency,
  });
  const encoder = await device.activationEncoder(`${hash} ${trainedBlocks}`, model, trainedBlocks);
  const shape = activationShape(model);
  return { shape, encoder, source: computedActivations(loader, encoder, shape, side * side * 3) };
}

/** Activities of features that need the object stores alone, on the `orchestrate` queue. */
export function createFeaturesStoreActivities({
  openStore,
}: {
  openStore(uri: string): ObjectStore;
}): FeaturesStoreActivities {
  return {
    indexFeatures: ({ artifacts, hash }) =>
      withHeartbeat<number, undefined>(async ({ report }) => {
        await indexFeatures(openStore(artifacts), hash, report);
        return undefined;
      }),
  };
}
