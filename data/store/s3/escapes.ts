/** An etag without its quotes; empty where there is none. */
export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replace(/^(W\/)?"(.*)"$/, '$2');
}

/**
 * Undoes the escapes of EncodingType=url and of S3 Inventory's CSV, which are those of forms: a space is `+`.
 * Throws URIError where it is not escaped so.
 */
export function decodeKey(escaped: string): string {
  return decodeURIComponent(escaped.replaceAll('+', ' '));
}

/** Whether XML 1.0 would lose or change a character of the key. */
export function hasNoXmlForm(key: string): boolean {
  return /[\u0000-\u001F\uFFFE\uFFFF]/.test(key);
}
