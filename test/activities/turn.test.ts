import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turn } from '../../activities/tag/turn.ts';

const never = new AbortController().signal;

test('one at a time, first come, first served; ending twice does nothing', async () => {
  const turn = new Turn();
  const order: string[] = [];
  const ends = new Map<string, () => void>();
  for (const name of ['a', 'b', 'c'])
    turn.take(never).then((end) => {
      order.push(name);
      ends.set(name, end);
    }, expect.unreachable);
  await setImmediate();
  expect(order).toEqual(['a']);
  ends.get('a')!();
  ends.get('a')!();
  await setImmediate();
  expect(order).toEqual(['a', 'b']);
  ends.get('b')!();
  await setImmediate();
  expect(order).toEqual(['a', 'b', 'c']);
});

test('one that is aborted while it waits neither takes the turn nor lets another past those before it', async () => {
  const turn = new Turn();
  const endFirst = await turn.take(never);
  const stop = new AbortController();
  const second = turn.take(stop.signal);
  let thirdHasIt = false;
  const third = turn.take(never).then((end) => {
    thirdHasIt = true;
    return end;
  });
  stop.abort(new Error('stopped'));
  await expect(second).rejects.toThrow('stopped');
  await setImmediate();
  expect(thirdHasIt).toBe(false);
  endFirst();
  await third;
  expect(thirdHasIt).toBe(true);
});

test('an aborted signal is refused at once', async () => {
  await expect(new Turn().take(AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
});
