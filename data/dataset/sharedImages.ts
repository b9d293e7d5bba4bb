import { imageId } from './sortedImages.ts';

/** What two lists of images have in common. */
export interface SharedImages {
  count: number;
  /** URI of one of them; undefined where there is none. */
  example: string | undefined;
}

/**
 * Compares two lists, each once and in the order of the images' ids, by a merge.
 *
 * @param tick called for every image of `some`
 */
export async function sharedImages(
  some: AsyncIterable<{ uri: string }>,
  others: AsyncGenerator<{ uri: string }, void, undefined>,
  tick: () => void = () => undefined,
): Promise<SharedImages> {
  let count = 0;
  let example: string | undefined;
  try {
    let other = await others.next();
    for await (const { uri } of some) {
      tick();
      const id = imageId(uri);
      while (other.done !== true && imageId(other.value.uri) < id) other = await others.next();
      if (other.done === true) break;
      if (other.value.uri !== uri) continue;
      count++;
      example ??= uri;
    }
  } finally {
    await others.return();
  }
  return { count, example };
}

/** `a.jpg is`, or `3 images, a.jpg among them, are`: how a sentence about them begins. */
export const sharedAre = ({ count, example }: SharedImages): string =>
  count === 1 ? `${example} is` : `${count} images, ${example} among them, are`;
