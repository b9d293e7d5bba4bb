/**
 * sharp is told to fail on libjpeg's warnings, because to libjpeg missing data is no more than that: it paints the rest
 * grey. A few warnings are about oddities of whole files, though, and libjpeg reports the first warning only: going on
 * in spite of one would hide the damage behind it. So the cause of a harmless one is repaired, in a copy.
 */

/** How to decode a JPEG again that stopped at a harmless warning. */
export interface SecondTry {
  body: Uint8Array;
  failOn: 'warning' | 'error';
}

// Found after the last scan: nothing can be missing behind it.
const AT_THE_END = /extraneous bytes before marker 0xd9/i;
// JFIF versions other than 1 and 2; spectral parameters of a sequential scan, which have no meaning in it (written by
// the cameras of some phones).
const IN_THE_HEADER = /unknown JFIF revision|invalid SOS parameters/i;

/** Undefined where the warning that `message` states stands for missing or damaged pixels. */
export function afterWarning(message: string, body: Uint8Array): SecondTry | undefined {
  if (AT_THE_END.test(message)) return { body, failOn: 'error' };
  if (!IN_THE_HEADER.test(message)) return undefined;
  const repaired = repairHeader(body);
  return repaired && { body: repaired, failOn: 'warning' };
}

/** A copy without what {@link IN_THE_HEADER} is about; undefined where there is nothing to repair. */
function repairHeader(body: Uint8Array): Uint8Array | undefined {
  const copy = Buffer.from(body);
  let isSequential = false;
  for (let at = 2; at + 4 <= copy.length && copy[at] === 0xff;) {
    const marker = copy[at + 1]!;
    const end = at + 2 + copy.readUInt16BE(at + 2);
    if (end > copy.length) return undefined;
    if (marker === 0xc0 || marker === 0xc1) isSequential = true;
    const isJfif = marker === 0xe0 && copy.subarray(at + 4, at + 9).equals(JFIF);
    if (isJfif) copy[at + 9] = 1;
    if (marker === 0xda) {
      // Ss, Se, Ah and Al close the scan's header; the entropy-coded data follow.
      if (isSequential) copy.set([0, 63, 0], end - 3);
      break;
    }
    at = end;
  }
  return copy.equals(body) ? undefined : copy;
}

const JFIF = Buffer.from('JFIF\0');
