import { Failure } from '../failure.ts';
import { MAX_LINE_BYTES, wholeLines, type LineBlock } from './wholeLines.ts';

/**
 * The lines of a data set's file, in blocks, decoded strictly.
 *
 * @param file for messages
 * @param invalid makes the failure for a line that is too long
 * @throws Failure `Dataset.Encoding` for what is not UTF-8, naming the line
 */
export function linesOfFile(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  invalid: (reason: string) => Error,
): AsyncGenerator<LineBlock> {
  return wholeLines(chunks, {
    encoding: (line) =>
      new Failure('Dataset.Encoding', `${file}, line ${line}: not valid UTF-8.`, {
        subject: file,
        hint: 'Save the file as UTF-8.',
      }),
    tooLong: (line) => invalid(`line ${line} is longer than ${MAX_LINE_BYTES >> 20} MiB`),
  });
}
