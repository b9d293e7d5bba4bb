import { Failure, isFailure } from '../data/failure.ts';
import { isImageCode } from '../data/images/codes.ts';

/** Store failures that are about one object. Any other is about the store: it fails the activity, which is retried. */
const OBJECT_CODES: ReadonlySet<string> = new Set([
  'Store.NotFound',
  'Store.Changed',
  'Store.Forbidden',
  'Store.TooLarge',
  'Store.Archived',
  'Store.InvalidKey',
]);

/** Why one image cannot be had, from what fetching or decoding it threw. Throws what is not about the image. */
export function imageFailure(error: unknown): { code: string; message: string } {
  if (!isFailure(error) || !(isImageCode(error.code) || OBJECT_CODES.has(error.code))) throw error;
  return { code: error.code === 'Store.TooLarge' ? 'Image.TooLarge' : error.code, message: error.message };
}

/** That a listing or inventory told that an object is in an archive, so that it is not asked for. */
export function archivedFailure(subject: string): Failure {
  return new Failure('Store.Archived', `${subject}: the object is archived`, {
    subject,
    hint: 'Restore it from its archive storage class first.',
  });
}
