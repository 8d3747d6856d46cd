import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import { nextRow } from '../src/keyboard';
import { Resource } from '../src/resource';
import { FrameReader } from '../src/sse';
import { listFolder } from '../src/snippets';
import { folderState, partState, uploadState } from '../src/states';
import { folder } from './documents';
import { told } from '../src/words';
import { trans } from './words';

const FAILURE = { code: 'gateway-down', message: 'The platform does not answer.', requestId: 'abc' };

function clocked(): { resource: Resource<string>; pass: (seconds: number) => void } {
  let now = new Date(2026, 10, 21).getTime();
  return { resource: new Resource<string>(() => new Date(now)), pass: seconds => (now += seconds * 1000) };
}

test('a list is loading, then data, then stale after three polls, and fresh again', () => {
  const { resource, pass } = clocked();
  pass(8);
  assert.deepEqual(resource.view(5), { kind: 'loading', seconds: 8 });
  resource.received('a');
  pass(15);
  assert.equal((resource.view(5) as { stale: boolean }).stale, false);
  pass(0.1);
  assert.equal((resource.view(5) as { stale: boolean }).stale, true);
  resource.received('b');
  assert.deepEqual(resource.view(5), {
    kind: 'data',
    data: 'b',
    receivedAt: new Date((resource.view(5) as { receivedAt: Date }).receivedAt),
    stale: false,
    failure: null
  });
});

test('an error is shown as an error, never as empty; data that were there stay', () => {
  const { resource } = clocked();
  resource.failed(FAILURE);
  assert.equal(resource.view(5).kind, 'error');
  resource.received('a');
  resource.failed(FAILURE);
  const view = resource.view(5);
  assert.equal(view.kind === 'data' && view.data, 'a');
  assert.equal(view.kind === 'data' && view.failure, FAILURE);
});

test('"Try again" goes back to loading only when there is nothing to show', () => {
  const { resource } = clocked();
  resource.failed(FAILURE);
  resource.restart();
  assert.equal(resource.view(5).kind, 'loading');
  resource.received('a');
  resource.restart();
  assert.equal(resource.view(5).kind, 'data');
});

test('raw states that nobody knows are shown as unknown, never as good', () => {
  for (const shown of [
    folderState('melted' as never, trans),
    uploadState('melted' as never, trans),
    partState('melted' as never, trans)
  ]) {
    assert.deepEqual(shown, { look: 'unknown', word: 'Unknown state: melted' });
  }
});

const NAMES = ['alice', 'scratch', 'scratch-alice'];
for (const [key, from, to] of [
  ['ArrowDown', 0, 1],
  ['ArrowDown', 2, 2],
  ['ArrowUp', 0, 0],
  ['Home', 2, 0],
  ['End', 0, 2],
  ['PageDown', 0, 2],
  ['PageUp', 2, 0],
  ['s', 0, 1],
  ['S', 1, 2],
  ['s', 2, 1],
  ['z', 0, null],
  [' ', 0, null],
  ['Tab', 0, null]
] as const) {
  test(`key ${JSON.stringify(key)} in row ${from} goes to ${to}`, () =>
    assert.equal(nextRow(key, from, NAMES), to));
}

test('events are read whole, wherever the stream is cut', () => {
  const text = ': still here\n\nid: 7\r\ndata: {"a":\ndata: 1}\n\ndata: x\n\n';
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new FrameReader();
    const frames = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))];
    assert.deepEqual(frames, [
      { id: '7', data: '{"a":\n1}' },
      { id: '7', data: 'x' }
    ]);
  }
});

test('an event without end is not collected for ever', () => {
  const reader = new FrameReader();
  assert.throws(() => reader.push(`data: ${'x'.repeat(600 * 1024)}`));
});

test("an address in a server's sentence is not taken for a place to fill", () => {
  const sentence = 'Ask to join users/s3 at https://iam.example.org/?next=%2Fgroups%20all.';
  assert.equal(told(sentence, trans), sentence);
});

test('inserted code is Python whatever the folder is called', () => {
  assert.match(listFolder({ ...folder('a'), path: '/h/a"\\\n' }), /Path\("\/h\/a\\"\\\\\\n"\)/);
});
