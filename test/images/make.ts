/**
 * Makes the image fixtures: `node test/images/make.ts`. Run it when a kind of file is added; the files are checked in,
 * and any file may be added to the folders by hand.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import {
  gifHeader,
  jpegHeader,
  orient,
  png,
  rgbTiff,
  scene,
  truncate,
  webpHeader,
  withJfifVersion,
  withScanEnd,
  zlibPng,
} from './bytes.ts';

const WIDTH = 64;
const HEIGHT = 48;
const good = new URL('./good/', import.meta.url);
const bad = new URL('./bad/', import.meta.url);
for (const folder of [good, bad]) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
}

const keep = async (name: string, bytes: Uint8Array, size = `${WIDTH}x${HEIGHT}`): Promise<void> =>
  await writeFile(new URL(`${size}--${name}`, good), bytes);
const refuse = async (code: string, name: string, bytes: Uint8Array | string): Promise<void> =>
  await writeFile(new URL(`Image.${code}--${name}`, bad), bytes);

const pixels = scene(WIDTH, HEIGHT);
const rgb = (): Sharp => sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const jpeg = await rgb().jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer();

// --- The same scene in every format and form. ---
await keep('scene-reference.png', await rgb().png().toBuffer());
const formats: Record<string, Buffer> = {
  'baseline.jpg': jpeg,
  'progressive.jpg': await rgb()
    .jpeg({ quality: 92, chromaSubsampling: '4:4:4', progressive: true })
    .toBuffer(),
  'plain.png': await rgb().png({ compressionLevel: 9 }).toBuffer(),
  'interlaced.png': await rgb().png({ progressive: true }).toBuffer(),
  'palette.png': await rgb().png({ palette: true }).toBuffer(),
  '16-bit.png': await rgb().toColourspace('rgb16').png().toBuffer(),
  'lossy.webp': await rgb().webp({ quality: 92 }).toBuffer(),
  'lossless.webp': await rgb().webp({ lossless: true }).toBuffer(),
  'still.gif': await rgb().gif().toBuffer(),
  'lzw.tif': await rgb().tiff({ compression: 'lzw' }).toBuffer(),
  'jpeg.tif': await rgb().tiff({ compression: 'jpeg', quality: 92 }).toBuffer(),
  '16-bit.tif': await rgb().toColourspace('rgb16').tiff({ compression: 'deflate' }).toBuffer(),
  'still.avif': await rgb().avif({ quality: 80, effort: 2 }).toBuffer(),
};
for (const [name, bytes] of Object.entries(formats)) {
  await keep(`scene-${name}`, bytes);
  const [stem, extension] = name.split('.');
  for (const percent of [10, 50, 90, 97]) {
    // Below that a WebP is not one yet.
    if (truncate(bytes, percent).length < 16) continue;
    await refuse('Corrupt', `${stem}-cut-at-${percent}.${extension}`, truncate(bytes, percent));
  }
}
await keep('scene-chroma-halved.jpg', await rgb().jpeg({ quality: 92 }).toBuffer());
await keep('scene-cmyk.jpg', await rgb().toColourspace('cmyk').jpeg({ quality: 92 }).toBuffer());
await keep('scene-little-endian.tif', rgbTiff([pixels], WIDTH, HEIGHT, true));
await keep('scene-big-endian.tif', rgbTiff([pixels], WIDTH, HEIGHT, false));
const inverted = Buffer.from(pixels.map((value) => 255 - value));
await keep('scene-first-of-two-pages.tif', rgbTiff([pixels, inverted], WIDTH, HEIGHT, true));
const animation = sharp(Buffer.concat([pixels, inverted]), {
  raw: { width: WIDTH, height: HEIGHT * 2, channels: 3, pageHeight: HEIGHT },
});
await keep('scene-animated.gif', await animation.clone().gif().toBuffer());
await keep('scene-animated.webp', await animation.clone().webp({ quality: 92 }).toBuffer());
await keep('scene-a-jpeg-named.png', jpeg);
await keep('scene-no-extension', jpeg);
await keep('scene-trailing-garbage.jpg', Buffer.concat([jpeg, Buffer.from('garbage'.repeat(50))]));
const beforeEnd = [jpeg.subarray(0, -2), Buffer.from([1, 2, 3]), jpeg.subarray(-2)];
await keep('scene-extraneous-bytes.jpg', Buffer.concat(beforeEnd));
await keep('scene-unknown-jfif-version.jpg', withJfifVersion(jpeg, 3));
await keep('scene-odd-scan-parameters.jpg', withScanEnd(jpeg, 5));
const notes = deflateSync(Buffer.alloc(30e6), { level: 9 });
const bombText = Buffer.concat([Buffer.from('Comment\0\0'), notes]);
await keep('scene-text-bomb.png', zlibPng(WIDTH, HEIGHT, 2, pixels, [['zTXt', bombText]]));

// --- Orientations: stored turned, shown as the scene. ---
for (let orientation = 1; orientation <= 8; orientation++) {
  const stored = orient(pixels, WIDTH, HEIGHT, orientation);
  const raw = { width: stored.width, height: stored.height, channels: 3 as const };
  const image = sharp(stored.pixels, { raw }).withMetadata({ orientation });
  await keep(
    `scene-orientation-${orientation}.jpg`,
    await image.clone().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(),
  );
}
const turned = orient(pixels, WIDTH, HEIGHT, 6);
const turnedImage = sharp(turned.pixels, { raw: { width: HEIGHT, height: WIDTH, channels: 3 } });
for (const format of ['png', 'webp', 'tiff'] as const) {
  const bytes = await turnedImage
    .clone()
    .withMetadata({ orientation: 6 })
    .toFormat(format, { quality: 95 })
    .toBuffer();
  await keep(`scene-orientation-6.${format}`, bytes);
}

// --- Grey, and transparency on white. ---
const grey = (): Sharp => rgb().toColourspace('b-w');
const greyRaw = await grey().raw().toBuffer();
const greyRgb = Buffer.from(Array.from(greyRaw, (value) => [value, value, value]).flat());
await keep('grey-reference.png', zlibPng(WIDTH, HEIGHT, 2, greyRgb));
await keep('grey-8-bit.png', await grey().png().toBuffer());
await keep('grey-16-bit.png', await rgb().toColourspace('grey16').png().toBuffer());
await keep('grey-baseline.jpg', await grey().jpeg({ quality: 95 }).toBuffer());
await keep('grey-8-bit.tif', await grey().tiff({ compression: 'lzw' }).toBuffer());
const rgba = Buffer.alloc(WIDTH * HEIGHT * 4);
const onWhite = Buffer.alloc(WIDTH * HEIGHT * 3);
for (let i = 0; i < WIDTH * HEIGHT; i++) {
  const alpha = (i % WIDTH) * 4;
  rgba.set([pixels[i * 3]!, pixels[i * 3 + 1]!, pixels[i * 3 + 2]!, alpha], i * 4);
  for (let c = 0; c < 3; c++)
    onWhite[i * 3 + c] = Math.round(255 + ((pixels[i * 3 + c]! - 255) * alpha) / 255);
}
const transparent = sharp(rgba, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } });
await keep(
  'alpha-reference.png',
  await sharp(onWhite, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer(),
);
await keep('alpha-8-bit.png', await transparent.clone().png().toBuffer());
await keep('alpha-16-bit.png', await transparent.clone().toColourspace('rgb16').png().toBuffer());
await keep('alpha-palette.png', await transparent.clone().png({ palette: true }).toBuffer());
await keep('alpha-lossless.webp', await transparent.clone().webp({ lossless: true }).toBuffer());
await keep('alpha-8-bit.tif', await transparent.clone().tiff({ compression: 'lzw' }).toBuffer());
await keep('alpha-still.avif', await transparent.clone().avif({ quality: 80, effort: 2 }).toBuffer());
await keep(
  'clear-reference.png',
  await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#fff' } })
    .png()
    .toBuffer(),
);
const clearGrey = sharp(Buffer.alloc(WIDTH * HEIGHT * 2), {
  raw: { width: WIDTH, height: HEIGHT, channels: 2 },
});
await keep('clear-grey-alpha.png', await clearGrey.toColourspace('b-w').png().toBuffer());
const clear = sharp(Buffer.alloc(WIDTH * HEIGHT * 4), { raw: { width: WIDTH, height: HEIGHT, channels: 4 } });
await keep('clear-still.gif', await clear.gif().toBuffer());

// --- Awkward sizes. ---
for (const [width, height] of [
  [1, 1],
  [1, 40],
  [40, 1],
  [1, 5000],
  [5000, 1],
  [3, 1000],
  [16, 1600],
] as const) {
  const image = sharp(scene(width, height), { raw: { width, height, channels: 3 } });
  await keep('sides.png', await image.clone().png().toBuffer(), `${width}x${height}`);
  const tall = await image.clone().jpeg().toBuffer();
  await keep('sides.jpg', tall, `${width}x${height}`);
  if (height === 1600) await refuse('Corrupt', 'tall-cut-at-97.jpg', truncate(tall, 97));
}

// --- Damage. ---
const whole = formats['plain.png']!;
const flip = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0xff;
  return copy;
};
const idat = whole.indexOf('IDAT');
await refuse('Corrupt', 'bad-crc.png', flip(whole, idat + 4 + whole.readUInt32BE(idat - 4) + 1));
await refuse('Corrupt', 'bad-header-crc.png', flip(whole, 30));
await refuse('Corrupt', 'bad-deflate.png', flip(whole, idat + 60));
await refuse(
  'Corrupt',
  'line-ends-translated.png',
  Buffer.from(whole.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
);
await refuse('Corrupt', 'signature-only.png', whole.subarray(0, 8));
await refuse('Corrupt', 'start-only.jpg', jpeg.subarray(0, 3));
await refuse(
  'Corrupt',
  'end-marker-after-half.jpg',
  Buffer.concat([truncate(jpeg, 60), Buffer.from([0xff, 0xd9])]),
);
const half = Buffer.concat([truncate(jpeg, 60), Buffer.from([0xff, 0xd9])]);
await refuse('Corrupt', 'end-marker-after-half.jpg', half);
await refuse('Corrupt', 'unknown-jfif-version-and-half.jpg', withJfifVersion(half, 3));
await refuse('Corrupt', 'odd-scan-parameters-and-half.jpg', withScanEnd(half, 5));
const wrongEndian = rgbTiff([pixels], WIDTH, HEIGHT, true);
wrongEndian.write('MM\0*', 'latin1');
await refuse('Corrupt', 'wrong-endian.tif', wrongEndian);
await refuse('Corrupt', 'riff-only.webp', formats['lossy.webp']!.subarray(0, 12));
await refuse('Corrupt', 'header-only.gif', Buffer.from('GIF89a'));
await refuse('Empty', 'zero-bytes.jpg', '');

// --- Bombs. ---
await refuse('PixelLimit', 'claims-60000x60000.png', png(60000, 60000, 2, deflateSync(Buffer.alloc(100))));
await refuse('PixelLimit', 'deflate-bomb.png', zlibPng(20000, 20000, 0, Buffer.alloc(20000 * 2500), [], 1));
await refuse('PixelLimit', 'claims-65000x65000.jpg', jpegHeader(jpeg, 65000, 65000));
await refuse('PixelLimit', 'claims-65535x65535.gif', gifHeader(65535, 65535));
await refuse('PixelLimit', 'claims-60000x60000.tif', rgbTiff([pixels], WIDTH, HEIGHT, true, 60000, 60000));
await refuse('PixelLimit', 'claims-12000x12000.webp', webpHeader(12000, 12000));

// --- Other things. ---
const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4" cy="4" r="3"/></svg>';
await refuse('Unsupported', 'plain.svg', svg);
await refuse('Unsupported', 'with-prolog.svg', `<?xml version="1.0"?>\n<!DOCTYPE svg>\n${svg}`);
await refuse('Unsupported', 'with-bom.svg', `\ufeff  \n${svg}`);
await refuse('Unsupported', 'utf-16.svg', Buffer.from(`\ufeff${svg}`, 'utf16le'));
await refuse('Unsupported', 'svg-after-a-long-comment.svg', `<!-- ${'x'.repeat(5000)} -->${svg}`);
await refuse('Unsupported', 'gzipped.svgz', gzipSync(svg));
await refuse('Unsupported', 'an-svg-named.png', svg);
await refuse('Unsupported', 'text-named.jpg', 'Not an image.\n');
await refuse('Unsupported', 'page.html', '<!doctype html><html><body><img src="a.jpg"></body></html>');
await refuse(
  'Unsupported',
  'error-page-named.jpg',
  '<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
);
await refuse('Unsupported', 'document.pdf', '%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n');
await refuse('Unsupported', 'one-byte.jpg', Buffer.from([0xff]));
await refuse('Unsupported', 'all-zero.jpg', Buffer.alloc(1000));
await refuse('Unsupported', 'bitmap.bmp', Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]));
await refuse('Unsupported', 'icon.ico', Buffer.concat([Buffer.from([0, 0, 1, 0, 1, 0]), Buffer.alloc(40)]));
await refuse('Unsupported', 'layers.psd', Buffer.concat([Buffer.from('8BPS\0\x01'), Buffer.alloc(40)]));
await refuse('Unsupported', 'codestream.jxl', Buffer.from([0xff, 0x0a, 0x10, 0, 0, 0]));
await refuse(
  'Unsupported',
  'video.mp4',
  Buffer.concat([Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp41', 'latin1'), Buffer.alloc(40)]),
);
await refuse('Unsupported', 'archive.zip', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(30)]));
await refuse(
  'Unsupported',
  'sound.wav',
  Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVEfmt '), Buffer.alloc(30)]),
);
const avif = formats['still.avif']!.toString('latin1');
const heic = avif
  .replaceAll('avif', 'heic')
  .replaceAll('MA1B', 'heix')
  .replaceAll('av01', 'hvc1')
  .replaceAll('av1C', 'hvcC');
await refuse('Unsupported', 'hevc-still.heic', Buffer.from(heic, 'latin1'));
const arithmetic = Buffer.from(jpeg);
arithmetic[arithmetic.indexOf(Buffer.from([0xff, 0xc0])) + 1] = 0xcb;
await refuse('Unsupported', 'lossless-arithmetic.jpg', arithmetic);
