import { expect, test } from 'vitest';
import { PhaseClock } from '../../activities/tag/phaseClock.ts';
import { noTimes, sharesOf } from '../../data/run/atWork/phases.ts';
import { brightnessTagger } from '../support/runs/shardBench.ts';

test('moments are divided among the images in some phase, and those without any are not counted', async () => {
  let nowMs = 1000;
  const clock = new PhaseClock(() => nowMs);
  await clock.during('fetch', () => Promise.resolve((nowMs += 30)));
  nowMs += 500;
  clock.enter('decode');
  clock.enter('wait', undefined, 3);
  nowMs += 40;
  clock.leave('decode');
  nowMs += 6;
  clock.leave('wait', 3);
  expect(clock.times).toEqual({ ...noTimes(), fetch: 30, decode: 10, wait: 36 });
  expect(sharesOf(clock.times)).toEqual({ ...noTimes(), fetch: 30 / 76, decode: 10 / 76, wait: 36 / 76 });
});

test('images that a tagger runs leave the wait for it, whether it succeeds or not', async () => {
  let nowMs = 0;
  const clock = new PhaseClock(() => nowMs);
  const imageBytes = 8 * 8 * 3;
  let works = true;
  const tagger = clock.timed(
    {
      ...brightnessTagger(),
      run() {
        nowMs += 20;
        return works ? Promise.resolve({ scores: new Float32Array(2) }) : Promise.reject(new Error('lost'));
      },
    },
    imageBytes,
  );
  clock.enter('wait', undefined, 3);
  await tagger.run(new Uint8Array(2 * imageBytes));
  expect(clock.times).toMatchObject({ wait: 20 / 3, infer: 40 / 3 });
  works = false;
  await expect(tagger.run(new Uint8Array(imageBytes))).rejects.toThrow('lost');
  nowMs += 100;
  clock.enter('fetch');
  expect(clock.times).toMatchObject({ wait: 20 / 3, infer: 20 + 40 / 3, fetch: 0 });
});

test('no time, no shares', () => expect(sharesOf(noTimes())).toBeNull());
