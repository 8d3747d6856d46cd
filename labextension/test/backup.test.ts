import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  amount,
  backupState,
  daysProblem,
  interval,
  nextRun,
  patterns,
  pingProblem,
  progress,
  restored,
  restoredPath,
  result,
  share
} from '../src/backup/words';
import type { IBackupProgress, IBackupRestore, IBackupRun, IBackupStatus } from '../src/documents';
import { moment } from '../src/formats';
import { IWords, toldAll } from '../src/words';
import { english, italian, trans } from './words';

const NOW = new Date(2026, 10, 24, 18, 2);
const GIB = 2 ** 30;

function run(changes: Partial<IBackupRun> = {}): IBackupRun {
  return {
    id: '2026-11-24T170200Z',
    started_at: NOW.toISOString(),
    ended_at: NOW.toISOString(),
    files: 1204,
    bytes: 3.2 * GIB,
    sent_files: 12,
    sent_bytes: 2 ** 20,
    errors: [],
    ...changes
  };
}

function work(changes: Partial<IBackupProgress> = {}): IBackupProgress {
  return {
    what: 'backup',
    started_at: NOW.toISOString(),
    files: 0,
    files_total: 0,
    bytes: 0,
    bytes_total: 0,
    ...changes
  };
}

function restore(changes: Partial<IBackupRestore> = {}): IBackupRestore {
  return {
    run: run().id,
    at: NOW.toISOString(),
    files: 2,
    folder: 'local/restored-1',
    replaced: '',
    problem: '',
    ...changes
  };
}

function backup(changes: Partial<IBackupStatus> = {}): IBackupStatus {
  return {
    settings: { every_hours: 0, keep_days: 90, exclude: [], ping_url: '' },
    running: null,
    last: run(),
    problem: '',
    next_at: null,
    restored: null,
    home: '.',
    ...changes
  };
}

for (const [what, status, look, word] of [
  ['all is saved', backup(), 'ok', 'Backup'],
  ['nothing was ever saved', backup({ last: null }), 'off', 'No backup'],
  ['a part is missing', backup({ last: run({ errors: ['a: denied'] }) }), 'warn', 'Backup is incomplete'],
  ['the newest one failed', backup({ problem: 'The bucket is full.' }), 'bad', 'Backup failed'],
  ['work comes before an old failure', backup({ problem: 'Full.', running: work() }), 'busy', 'Backing up'],
  ['a restore', backup({ running: work({ what: 'restore' }) }), 'busy', 'Restoring']
] as const) {
  test(`the backup when ${what}`, () => assert.deepEqual(backupState(status, trans), { look, word }));
}

test('amounts are counts and sizes of the language', () => {
  assert.equal(amount(1204, 3.2 * GIB, english), '1,204 files, 3.2 GiB');
  assert.equal(amount(1, 10, english), '1 file, 10 B');
  assert.equal(amount(1204, 3.2 * GIB, italian), '1.204 files, 3,2 GiB');
});

test('progress says what is done of what; without totals, that they are looked for', () => {
  const now = work({ files: 12, files_total: 1204, bytes: 1 * GIB, bytes_total: 4 * GIB });
  assert.deepEqual(progress(now, english), ['12 of 1,204 files', '1 of 4 GiB']);
  assert.equal(share(now), 25);
  assert.deepEqual(progress(work(), english), ['Looking for changes']);
  assert.equal(share(work()), 0);
  assert.equal(share(work({ files: 1, files_total: 2 })), 50);
});

test('a backup says how many problems it had', () => {
  assert.deepEqual(result(run(), english), { look: 'ok', word: 'Complete' });
  assert.deepEqual(result(run({ errors: ['a', 'b'] }), english), { look: 'warn', word: '2 problems' });
});

test('the next backup follows from the schedule that is chosen, also before it is kept', () => {
  const soon = 'The next one begins within two minutes.';
  assert.equal(nextRun(backup(), 0, NOW, english), 'Only when you ask for it.');
  assert.equal(
    nextRun(backup(), 6, NOW, english),
    'The next one begins in 6 h, if a server of yours runs then.'
  );
  assert.equal(nextRun(backup({ last: null }), 6, NOW, english), soon);
  const kept = backup({
    settings: { ...backup().settings, every_hours: 6 },
    next_at: new Date(NOW.getTime() + 30 * 60_000).toISOString()
  });
  assert.match(nextRun(kept, 6, NOW, english), /in 30 min/); // a failed one is tried again earlier
  assert.match(nextRun(kept, 24, NOW, english), /in 1 d/);
});

test('intervals', () =>
  assert.deepEqual(
    [0, 6, 12, 24, 168].map(hours => interval(hours, english)),
    ['Off', 'Every 6 h', 'Every 12 h', 'Every day', 'Every week']
  ));

test('patterns are lines with something in them', () =>
  assert.deepEqual(patterns(' /local/big/**\n\n*.tmp \n'), ['/local/big/**', '*.tmp']));

for (const [text, good] of [
  ['1', true],
  ['3650', true],
  ['0', false],
  ['3651', false],
  ['1.5', false],
  ['', false]
] as const) {
  test(`${JSON.stringify(text)} days are ${good ? 'good' : 'refused'}`, () =>
    assert.equal(daysProblem(text, trans) === null, good));
}

for (const [text, good] of [
  ['', true],
  ['https://hc-ping.com/x', true],
  ['http://a', true],
  ['ftp://a', false],
  ['https://a b', false]
] as const) {
  test(`the address ${JSON.stringify(text)} is ${good ? 'good' : 'refused'}`, () =>
    assert.equal(pingProblem(text, trans) === null, good));
}

test('a restore says where the files are, and what was there before', () => {
  assert.equal(restored(backup({ restored: restore() }), english), '2 files are back in local/restored-1.');
  assert.equal(
    restored(backup({ restored: restore({ files: 1, folder: '', replaced: 'local/replaced-1' }) }), english),
    '1 file is back in its place. What was there is now in local/replaced-1.'
  );
});

for (const [home, change, path] of [
  ['.', {}, 'local/restored-1'],
  ['people/alice', {}, 'people/alice/local/restored-1'],
  ['.', { folder: '', replaced: 'local/replaced-1' }, 'local/replaced-1'],
  ['.', { folder: '' }, null],
  [null, {}, null]
] as const) {
  test(`the file browser finds ${JSON.stringify(change)} below ${home} at ${path}`, () =>
    assert.equal(restoredPath(backup({ home, restored: restore(change) })), path));
}

test('sentences that a server puts together are each in one’s language, the longest known piece first', () => {
  const known: Record<string, string> = {
    'It failed.': 'Fallito.',
    'The bucket is full. Delete something.': 'Pieno. Elimina qualcosa.'
  };
  const words: IWords = { ...trans, __: text => known[text] ?? text };
  assert.equal(
    toldAll('It failed. The bucket is full. Delete something. Details: ~/x.log', words),
    'Fallito. Pieno. Elimina qualcosa. Details: ~/x.log'
  );
  assert.equal(toldAll('', words), '');
});

test('moments are told apart within a day, and by year', () => {
  assert.equal(moment(NOW, NOW, 'en-GB'), '24 Nov, 18:02');
  assert.equal(moment(new Date(2025, 10, 5, 6, 0), NOW, 'en-GB'), '5 Nov 2025, 06:00');
});
