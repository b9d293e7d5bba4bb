const LINE_FEED = 0x0a;

/**
 * Decodes a text file strictly: nothing is replaced. A byte order mark is dropped.
 *
 * @returns the text; or, for invalid UTF-8, `badLine`, the first line (from 1) that is not valid.
 */
export function decodeUtf8(
  bytes: Uint8Array,
): { text: string; badLine?: undefined } | { text?: undefined; badLine: number } {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    // A line feed is never part of a longer UTF-8 sequence, so each line can be tried alone.
    let line = 1;
    for (let start = 0; ; line++) {
      const end = bytes.indexOf(LINE_FEED, start);
      const part = bytes.subarray(start, end < 0 ? bytes.length : end);
      try {
        decoder.decode(part);
      } catch {
        return { badLine: line };
      }
      if (end < 0) return { badLine: line };
      start = end + 1;
    }
  }
}
