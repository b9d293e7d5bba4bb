/**
 * Compares two strings by their UTF-8 bytes, the order in which object stores list keys; allocates nothing.
 * Negative when `a` comes first, 0 when they are equal. Both must be well formed (no lone surrogates).
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/**
 * UTF-16 order is UTF-8 order but for one thing: surrogates (0xD800 to 0xDFFF) stand for code points above 0xFFFF,
 * so they come after 0xE000 to 0xFFFF.
 */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
