import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import type { IStorageStatus } from '../src/documents';
import { services, summary } from '../src/summary';
import { folder, health, status, upload } from './documents';
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
