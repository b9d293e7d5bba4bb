import { decodeUtf8 } from '../utf8Decode.ts';

/** Some lines of a text file, each with its end; `line` is the number of the first, from 1. */
export interface LineBlock {
  text: string;
  line: number;
}

/** What a text of lines can be wrong in. */
export interface LineFailures {
  /** Makes the failure for a line that is not UTF-8. */
  encoding: (line: number) => Error;
  /** Makes the failure for a line of more than {@link MAX_LINE_BYTES}. */
  tooLong: (line: number) => Error;
}

/** Longer lines are no lines: something else was named so. */
export const MAX_LINE_BYTES = 64 << 20;

const LINE_FEED = 0x0a;

/**
 * Decodes a UTF-8 file strictly, in blocks of whole lines: memory follows the chunks and the longest line. A byte order
 * mark at the beginning is dropped.
 */
export async function* wholeLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  failures: LineFailures,
): AsyncGenerator<LineBlock, void, undefined> {
  let line = 1;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const decode = (): LineBlock => {
    const block = decodeUtf8(pending.length === 1 ? pending[0]! : Buffer.concat(pending));
    if (block.badLine !== undefined) throw failures.encoding(line + block.badLine - 1);
    return { text: block.text, line };
  };
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      pending.push(chunk.subarray(0, end));
      const block = decode();
      line += countLineFeeds(block.text);
      yield block;
      pending = [];
      pendingBytes = 0;
    }
    if (end === chunk.length) continue;
    pending.push(chunk.subarray(end));
    pendingBytes += chunk.length - end;
    if (pendingBytes > MAX_LINE_BYTES) throw failures.tooLong(line);
  }
  if (pending.length > 0) yield decode();
}

function countLineFeeds(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
