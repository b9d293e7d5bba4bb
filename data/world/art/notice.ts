import type { IconSet } from './iconSet.ts';

/** What must go with scenes that are handed on: whose art they are made of. */
export const worldNotice = (sets: readonly IconSet[]): string =>
  [
    'These scenes were composed of graphics by others, which were scaled, rotated, mirrored,',
    'recoloured, cropped and partly covered:',
    '',
    ...sets.flatMap(({ style, version, license }) => [
      `- ${style.credit}`,
      `  ${license.title}, ${license.url}`,
      `  from the npm package @iconify-json/${style.name} ${version}`,
    ]),
    '',
  ].join('\n');
