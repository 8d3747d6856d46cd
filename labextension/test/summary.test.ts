import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import type { IStorageStatus } from '../src/documents';
import { level, percent, used } from '../src/quota';
import { services, summary, unsavedByCause } from '../src/summary';
import { folder, health, status, upload, usage } from './documents';
import { english } from './words';

const cases: [string, Partial<IStorageStatus>, string | null, string?][] = [
  ['nothing to do', {}, 'Saved', 'ok'],
  ['uploads', { uploads: [upload('a', 'uploading'), upload('b', 'waiting')] }, '2 uploading', 'busy'],
  [
    'a list of uploads that the agent cut',
    { uploads: [upload('a', 'waiting')], uploads_total: 2014 },
    '2,014 uploading',
    'busy'
  ],
  [
    'a folder that comes back',
    { folders: [folder('alice', 'reconnecting')], state: 'degraded', code: 'restarting' },
    'Reconnecting',
    'busy'
  ],
  [
    'a lost folder before uploads',
    { folders: [folder('alice'), folder('b', 'down')], uploads: [upload('a', 'waiting')], state: 'degraded' },
    '1 folder not connected',
    'bad'
  ],
  [
    'unsaved files before lost folders',
    { folders: [folder('b', 'refused')], uploads: [upload('a', 'failed'), upload('b', 'waiting')] },
    '1 file not saved · 1 uploading',
    'bad'
  ],
  [
    'several unsaved files',
    { uploads: [upload('a', 'failed'), upload('b', 'failed')] },
    '2 files not saved',
    'bad'
  ],
  [
    'a folder that refuses writes',
    { folders: [folder('alice'), folder('b', 'refused')] },
    'Writes refused',
    'bad'
  ],
  [
    'a nearly full bucket before uploads',
    { usage: usage(96), uploads: [upload('a', 'waiting')] },
    'Bucket 96 % full',
    'warn'
  ],
  ['a bucket that is not nearly full', { usage: usage(94.9) }, 'Saved', 'ok'],
  ['no agent', { state: 'degraded', code: 'no-agent', folders: [] }, 'Storage not connected', 'bad'],
  [
    'all folders down',
    { state: 'degraded', code: 'store-error', folders: [folder('alice', 'down')] },
    'Storage not connected',
    'bad'
  ],
  ['a server without storage', { state: 'degraded', code: 'no-storage', folders: [] }, null],
  ['a person without the capability', { state: 'degraded', code: 'no-capability', folders: [] }, null],
  ['the start', { state: 'starting', folders: [folder('alice', 'connecting')] }, 'Connecting', 'busy'],
  ['the end', { state: 'stopped', folders: [folder('alice', 'off')] }, 'Storage not in use', 'off']
];

for (const [name, changes, text, look] of cases) {
  test(`status bar: ${name} → ${text}`, () => {
    const shown = summary(status(changes), english);
    assert.equal(shown?.text ?? null, text);
    assert.equal(shown?.look, look);
  });
}

for (const [states, text, look] of [
  [['ok', 'ok'], 'All services answer', 'ok'],
  [['ok', 'down'], '1 service does not answer', 'bad'],
  [['down', 'degraded', 'down'], '2 services do not answer', 'bad'],
  [['degraded'], '1 service is limited', 'warn']
] as const) {
  test(`services ${states.join(', ')} → ${text}`, () =>
    assert.deepEqual(services(health(...states), english), { look, text }));
}

for (const [share, reached] of [
  [0, 0],
  [79.9, 0],
  [80, 80],
  [94.9, 80],
  [95, 95],
  [99.9, 95],
  [100, 100],
  [130, 100]
] as const) {
  test(`${share} % of the quota is level ${reached}`, () => assert.equal(level(usage(share)), reached));
}

test('a bucket without a limit is never full', () => {
  const unlimited = { ...usage(99), quota_bytes: null };
  assert.equal(percent(unlimited), null);
  assert.equal(level(unlimited), 0);
  assert.equal(used(unlimited, english), '198 GiB');
});

test('used space is said in one unit where that is the same', () => {
  assert.equal(used(usage(31.2), english), '62.4 of 200 GiB');
  assert.equal(used({ ...usage(0), used_bytes: 512 }, english), '512 B of 200 GiB');
});

test('unsaved files are told by cause', () => {
  const failed = (name: string, error: string) => ({ ...upload(name, 'failed'), error });
  const causes = unsavedByCause(
    status({
      uploads: [failed('a', 'Full.'), failed('b', 'Refused.'), failed('c', 'Full.'), upload('d', 'waiting')]
    })
  );
  assert.deepEqual(
    Array.from(causes, ([cause, uploads]) => [cause, uploads.map(({ name }) => name)]),
    [
      ['Full.', ['a', 'c']],
      ['Refused.', ['b']]
    ]
  );
});
