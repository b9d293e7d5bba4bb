import { Failure } from '../failure.ts';

/** That a line of a data set's file is not UTF-8; lines count from 1. */
export const notUtf8 = (file: string, line: number): Failure =>
  new Failure('Dataset.Encoding', `${file}, line ${line}: not valid UTF-8.`, {
    subject: file,
    hint: 'Save the file as UTF-8.',
  });
