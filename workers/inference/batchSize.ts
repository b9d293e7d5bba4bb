import { isFailure } from '../../data/failure.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import type { BatchScores, Tagger } from '../../model/tagger.ts';

/** On a CPU a batch saves next to nothing per image; this many keep its threads busy and a run short. */
const CPU_BATCH = 16;
const SMALLEST_GPU_BATCH = 8;
const LARGEST_GPU_BATCH = 1024;

/** A larger batch must give at least this much more throughput to be worth its memory. */
const WORTHWHILE = 1.05;

interface Choice {
  device: DeviceOptions;
  /** Configured batch size; undefined: find one. */
  requested: number | undefined;
  /** The clock that runs are measured with, in milliseconds. */
  now?: () => number;
}

/**
 * A tagger with the batch size that suits the device: as configured; a fixed one on a CPU; on a GPU found by doubling
 * until it stops paying or memory ends.
 */
export async function chooseBatchSize(
  create: (batchSize: number) => Promise<Tagger>,
  { device, requested, now = () => performance.now() }: Choice,
): Promise<Tagger> {
  if (requested !== undefined || device.provider === 'cpu') return create(requested ?? CPU_BATCH);
  let best = await create(SMALLEST_GPU_BATCH);
  let bestRate = await rate(best, now);
  for (let size = 2 * SMALLEST_GPU_BATCH; size <= LARGEST_GPU_BATCH; size *= 2) {
    const larger = await create(size);
    const largerRate = larger.batchSize === size ? await rate(larger, now) : 0;
    if (largerRate === 0 || largerRate < bestRate * WORTHWHILE) {
      await larger.release();
      break;
    }
    await best.release();
    [best, bestRate] = [larger, largerRate];
  }
  return best;
}

/** Images per second of full batches; 0 where memory does not suffice. The first run, which warms up, is not timed. */
async function rate(tagger: Tagger, now: () => number): Promise<number> {
  const pixels = new Uint8Array(tagger.batchSize * tagger.imageBytes);
  try {
    await tagger.run(pixels);
    const startedMs = now();
    await tagger.run(pixels);
    return (1000 * tagger.batchSize) / (now() - startedMs);
  } catch (error) {
    if (isFailure(error, 'Device.OutOfMemory')) return 0;
    throw error;
  }
}

/** Runs a batch; where memory does not suffice, its two halves, and so on. A single image that does not fit rejects. */
export async function runHalving(tagger: Tagger, pixels: Uint8Array): Promise<BatchScores> {
  try {
    return await tagger.run(pixels);
  } catch (error) {
    const images = pixels.length / tagger.imageBytes;
    if (!isFailure(error, 'Device.OutOfMemory') || images < 2) throw error;
    const middle = Math.ceil(images / 2) * tagger.imageBytes;
    const first = await runHalving(tagger, pixels.subarray(0, middle));
    const second = await runHalving(tagger, pixels.subarray(middle));
    const scores = join(first.scores, second.scores);
    return first.embeddings && second.embeddings
      ? { scores, embeddings: join(first.embeddings, second.embeddings) }
      : { scores };
  }
}

function join(first: Float32Array, second: Float32Array): Float32Array {
  const joined = new Float32Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
