/**
 * Every code of a failure row, and whether the same image may be tagged later. `permanent` ones are the bytes' own, and
 * come again for as long as the object and the limits are the same; `transient` ones are the store's or the machine's.
 */
export const FAILURE_CODES: Readonly<Record<string, 'permanent' | 'transient'>> = {
  'Image.Empty': 'permanent',
  'Image.TooLarge': 'permanent',
  'Image.PixelLimit': 'permanent',
  'Image.Unsupported': 'permanent',
  'Image.Corrupt': 'permanent',
  'Image.Timeout': 'transient',
  // It took workers or decoders with it every time: only who asks for it tries it again.
  'Image.Crashed': 'permanent',
  'Store.NotFound': 'transient',
  'Store.Changed': 'transient',
  'Store.Forbidden': 'transient',
  'Store.Archived': 'transient',
  'Store.InvalidKey': 'permanent',
};

/** The codes that are tried again where none are named. */
export const TRANSIENT_CODES: readonly string[] = Object.keys(FAILURE_CODES).filter(
  (code) => FAILURE_CODES[code] === 'transient',
);
