import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import { age, clock, count, duration, remaining, size, split } from '../src/formats';
import { english, italian } from './words';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

for (const [bytes, text] of [
  [0, '0 B'],
  [-5, '0 B'],
  [999, '999 B'],
  [1000, '0.977 KiB'],
  [KiB, '1 KiB'],
  [1.2 * MiB, '1.2 MiB'],
  [229 * MiB, '229 MiB'],
  [999.6 * MiB, '0.976 GiB'],
  [62.4 * GiB, '62.4 GiB'],
  [2 ** 70, '1,050,000 PiB']
] as const) {
  test(`${bytes} bytes are shown as ${text}`, () => assert.equal(size(bytes, 'en'), text));
}

test('sizes and counts follow the language', () => {
  assert.equal(size(62.4 * GiB, 'it-IT'), '62,4 GiB');
  assert.equal(count(2014, 'en'), '2,014');
  assert.equal(count(2014, italian.tag), '2.014');
});

for (const [seconds, text] of [
  [0, '0 s'],
  [0.4, '0 s'],
  [59.6, '1 min'],
  [134, '2 min 14 s'],
  [3600, '1 h'],
  [3601, '1 h'],
  [3725, '1 h 2 min'],
  [90_000, '1 d 1 h']
] as const) {
  test(`a duration of ${seconds} s is ${text}`, () => assert.equal(duration(seconds, english), text));
}

test('what is left of a time is rounded down to minutes', () => {
  assert.equal(remaining(38 * 60 + 59, english), '38 min');
  assert.equal(remaining(42, english), '42 s');
  assert.equal(remaining(-3, english), '0 s');
});

const NOW = new Date(2026, 10, 21, 14, 31, 0);
const before = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);

for (const [at, text] of [
  [before(-2), '0 s ago'],
  [before(6), '6 s ago'],
  [before(59.9), '59 s ago'],
  [before(60), '1 min ago'],
  [before(4 * 60 + 59), '4 min ago'],
  [before(3 * 3600), '3 h ago'],
  [new Date(2026, 10, 20, 18, 2), 'yesterday 18:02'],
  [new Date(2026, 10, 20, 23, 59, 30), 'yesterday 23:59'],
  [new Date(2026, 10, 19, 23, 59), '19 Nov'],
  [new Date(2025, 10, 5), '5 Nov 2025']
] as const) {
  test(`${at.toISOString()} is "${text}"`, () =>
    assert.equal(age(at, NOW, { ...english, tag: 'en-GB' }), text));
}

test('just before midnight is still minutes ago', () => {
  const now = new Date(2026, 10, 21, 0, 10);
  assert.equal(age(new Date(2026, 10, 20, 23, 58), now, english), '12 min ago');
});

test('the clock has 24 hours, also in a language that has 12', () => {
  assert.equal(clock(new Date(2026, 0, 1, 0, 5), 'en-US'), '00:05');
  assert.equal(clock(new Date(2026, 0, 1, 15, 5), 'en-US'), '15:05');
});

test('a long name keeps its telling end', () => {
  assert.deepEqual(split('hits_0412.parquet'), ['hits_0412.parquet', '']);
  assert.deepEqual(split('calibration_of_all_channels_0412.parquet'), [
    'calibration_of_all_channels_04',
    '12.parquet'
  ]);
  assert.equal(split('🔭'.repeat(30)).join(''), '🔭'.repeat(30));
});
