/** Every way an image can fail. A closed list: failure rows, their counts and their documentation come from it. */
export const IMAGE_CODES = {
  'Image.Empty': 'The object has no bytes.',
  'Image.TooLarge': 'The object has more bytes than the limit.',
  'Image.PixelLimit': 'The header claims more pixels than the limit; no pixel was decoded.',
  'Image.Unsupported': 'Not an image format that is read here (judged by content, not by name).',
  'Image.Corrupt': 'The image is truncated or its data is damaged.',
  'Image.Timeout': 'Decoding took longer than the time limit.',
  'Image.Crashed': 'The decoding process died on it, twice, the second time with nothing else in flight.',
} as const;

export type ImageCode = keyof typeof IMAGE_CODES;

/** Whether `code` is one of {@link IMAGE_CODES}: the image's own failure, not the store's or the machine's. */
export function isImageCode(code: string): code is ImageCode {
  return Object.hasOwn(IMAGE_CODES, code);
}
