import { expect, test } from 'vitest';
import { nearestAmong, shortlister } from '../../../model/graph/shortlist.ts';

/** Unit vectors at angles, so that near indices are near in space. */
const circle = (count: number): Float32Array =>
  Float32Array.from({ length: 2 * count }, (_, i) => {
    const angle = (Math.PI * Math.floor(i / 2)) / count;
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
const named = (...names: string[]) => names.map((name) => ({ name }));

test('the nearest in feature space, nearest first, without the category itself', () => {
  const of = shortlister(named('a', 'b', 'c', 'd', 'e', 'f'), circle(6), 3);
  expect(of(0)).toEqual([1, 2, 3]);
  expect(of(5)).toEqual([4, 3, 2]);
});

test.each([
  ['a shared word', ['palm tree', 'x1', 'x2', 'x3', 'x4', 'oak tree'], 5],
  ['a plural', ['dog', 'x1', 'x2', 'x3', 'x4', 'hot dogs'], 5],
  ['a word inside another', ['board', 'x1', 'x2', 'x3', 'x4', 'snowboard'], 5],
  ['a hyphen', ['t-shirt', 'x1', 'x2', 'x3', 'x4', 'shirt'], 5],
])('%s puts a category on the shortlist, however far it is', (_, names, at) => {
  const of = shortlister(named(...names), circle(6), 3);
  expect(of(0)).toEqual([at, 1, 2]);
  expect(of(at)[0]).toBe(0);
});

test('names take a third at most, those with the rarest words', () => {
  const names = ['red apple', 'red car', 'red hat', 'red bus', 'apple', 'x1', 'x2', 'x3', 'x4'];
  const of = shortlister(named(...names), circle(9), 6);
  expect(of(0).slice(0, 2)).toEqual([4, 1]);
  expect(of(0)).toHaveLength(6);
});

test('an alias is a name', () => {
  const nodes = [{ name: 'car', aliases: ['automobile'] }, ...named('x1', 'x2', 'x3', 'automobile show')];
  expect(shortlister(nodes, circle(5), 3)(0)).toContain(4);
});

test('equal distances go by name, wherever the categories stand', () => {
  const features = Float32Array.from([1, 0, 0, 1, 0, 1, 0, 1]);
  expect(shortlister(named('q', 'zz', 'yy', 'xx'), features, 2)(0)).toEqual([3, 2]);
});

test('fewer categories than a shortlist holds', () => {
  expect(shortlister(named('one'), circle(1), 3)(0)).toEqual([]);
});

test('the nearest of some', () => {
  expect(nearestAmong(circle(6), 6, 0, [0, 4, 3])).toBe(3);
  expect(nearestAmong(circle(6), 6, 0, [0])).toBeUndefined();
});
