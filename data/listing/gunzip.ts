import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, type Failure } from '../failure.ts';

/**
 * The bytes of a gzip file (of several members, too) as they are read; memory is constant.
 *
 * @param fail makes the failure for bytes that are not gzip's, or that end early
 */
export async function* gunzipped(
  chunks: AsyncIterable<Uint8Array>,
  fail: (reason: string, cause?: unknown) => Failure,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failed: { error: unknown } | undefined;
  // What the store throws is not gzip's fault.
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } catch (error) {
      failed = { error };
      throw error;
    }
  }
  const packed = Readable.from(watched());
  const plain = createGunzip({ chunkSize: 1 << 20 });
  packed.on('error', (error) => plain.destroy(error));
  packed.pipe(plain);
  try {
    yield* plain as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (failed) throw failed.error;
    throw fail(`damaged gzip: ${messageOf(error)}`, error);
  } finally {
    packed.destroy();
    plain.destroy();
  }
}
