import { Failure } from '../data/failure.ts';

/** The value of a flag that takes a whole number of at least `min`. Throws `Usage.Flag`. */
export function wholeNumber(flag: string, text: string, min = 1): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min) return value;
  throw new Failure(
    'Usage.Flag',
    `${flag} is ${JSON.stringify(text)}: expected a whole number of at least ${min}.`,
  );
}
