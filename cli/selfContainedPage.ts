import { createHash } from 'node:crypto';

/** What a page is made of. Markup, style and scripts are this project's or a library's; title and data may be anyone's. */
export interface SelfContainedPage {
  title: string;
  /** Markup. */
  body: string;
  style: string;
  /** Id of the style element, for libraries that look for their own. */
  styleId?: string;
  /** Run in this order. */
  scripts: readonly string[];
  /** JSON that scripts read from the element with this id. */
  data: { id: string; value: unknown };
}

/**
 * A page in one file, which loads nothing and may load nothing, by its own policy, so that it can be kept, sent and opened
 * from a disk. Scripts and style are named in the policy by their hashes; images are `data:` URIs.
 */
export function selfContainedPage({ title, body, style, styleId, scripts, data }: SelfContainedPage): string {
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hashOf).join(' ')}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ];
  // No `<` is in the data, so no tag can end it.
  const json = JSON.stringify(data.value).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join('; ')}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeText(title)}</title>
<style${styleId === undefined ? '' : ` id="${styleId}"`}>${style}</style>
</head>
<body>
${body}
<script type="application/json" id="${data.id}">${json}</script>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

const hashOf = (code: string): string => `'sha256-${createHash('sha256').update(code).digest('base64')}'`;

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
