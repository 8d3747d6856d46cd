import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import { happened } from '../src/checks/happened';
import { snippets } from '../src/checks/snippets';
import { uptime } from '../src/checks/uptime';
import {
  checkDetail,
  checksSummary,
  checkState,
  inUnits,
  lastAndNext,
  periodProblem,
  pingState,
  schedule,
  sender,
  tagsOf
} from '../src/checks/words';
import type { ICheck, ICheckPage, ICheckPing } from '../src/documents';
import { english, italian, trans } from './words';

const NOW = new Date(2026, 10, 13, 14, 40);
const MINUTE = 60_000;
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE).toISOString();

function check(changes: Partial<ICheck> = {}): ICheck {
  return {
    id: '7f9c',
    project: 1,
    name: 'nightly',
    slug: 'nightly',
    tags: [],
    desc: '',
    status: 'up',
    started: false,
    kind: 'simple',
    timeout: 300,
    grace: 900,
    schedule: null,
    tz: null,
    n_pings: 3,
    last_ping: ago(2),
    next_ping: ago(-3),
    last_duration: null,
    channels: [],
    as_of: NOW.toISOString(),
    ping_url: 'https://hc.example.org/ping/7f9c',
    badge_url: '',
    ...changes
  };
}

function ping(changes: Partial<ICheckPing>): ICheckPing {
  return {
    n: 1,
    at: NOW.toISOString(),
    type: 'success',
    exit_status: null,
    duration: null,
    remote_addr: '10.0.0.7',
    user_agent: '',
    has_body: false,
    ...changes
  };
}

test('each state has a word and a look, and a run under way hides no trouble', () => {
  const shown = (status: ICheck['status'], started = false) => {
    const { look, word } = checkState(check({ status, started }), trans);
    return `${look} ${word}`;
  };
  assert.equal(shown('down'), 'bad Down');
  assert.equal(shown('grace'), 'warn Late');
  assert.equal(shown('up'), 'ok Up');
  assert.equal(shown('new'), 'waiting New');
  assert.equal(shown('paused'), 'off Paused');
  assert.equal(shown('up', true), 'busy Running');
  assert.equal(shown('down', true), 'bad Down');
  assert.equal(shown('unknown: dreaming'), 'unknown Unknown state: dreaming');
});

test('a row says how late, or when it is expected', () => {
  const said = (changes: Partial<ICheck>) => checkDetail(check(changes), NOW, english);
  assert.equal(said({}), 'every 5 min');
  assert.equal(said({ status: 'grace', next_ping: ago(6) }), '6 min of 15 min grace');
  assert.equal(said({ status: 'down', next_ping: ago(40) }), '40 min late');
  assert.equal(said({ status: 'down', next_ping: null }), 'failure reported');
  assert.equal(said({ status: 'new', last_ping: null, next_ping: null }), 'no ping yet');
  assert.equal(said({ status: 'paused', next_ping: null }), '');
});

test('a schedule is said with its zone unless that is UTC', () => {
  const cron = check({ kind: 'cron', timeout: null, schedule: '30 1 * * 1-5', tz: 'Europe/Rome' });
  assert.equal(schedule(cron, english), '30 1 * * 1-5 (Europe/Rome)');
  assert.equal(schedule({ ...cron, tz: 'UTC' }, english), '30 1 * * 1-5');
  assert.equal(schedule(check({ timeout: 86400 }), english), 'every 1 d');
});

test('the closed section says the worst', () => {
  const page = (states: Record<string, number>): ICheckPage => ({
    items: [],
    total: 1234,
    next: null,
    as_of: null,
    problems: [],
    states,
    tags: []
  });
  assert.deepEqual(checksSummary(page({ down: 1, grace: 2 }), english), { look: 'bad', text: '1 down' });
  assert.deepEqual(checksSummary(page({ down: 1200 }), italian), { look: 'bad', text: '1.200 down' });
  assert.deepEqual(checksSummary(page({ grace: 2 }), english), { look: 'warn', text: '2 late' });
  assert.deepEqual(checksSummary(page({ up: 9 }), english), { look: 'ok', text: '1,234' });
  assert.equal(checksSummary({ ...page({}), total: 0 }, english), null);
});

test('events have words, also those that we do not know', () => {
  const said = (changes: Partial<ICheckPing>) => pingState(ping(changes), trans).word;
  assert.equal(said({}), 'Success');
  assert.equal(said({ type: 'fail' }), 'Failure');
  assert.equal(said({ type: 'fail', exit_status: 10 }), 'Exit status 10');
  assert.equal(said({ type: 'unknown: dream' }), 'dream');
});

test('a ping comes from its program, a browser, or an address', () => {
  assert.equal(sender(ping({ user_agent: 'curl/8.5' }), trans), 'curl');
  assert.equal(sender(ping({ user_agent: 'Mozilla/5.0 (X11)' }), trans), 'browser');
  assert.equal(sender(ping({}), trans), '10.0.0.7');
});

test('the line of a check says what was and what is to come', () => {
  assert.deepEqual(lastAndNext(check({ last_duration: 134 }), NOW, english), [
    'last ping 2 min ago',
    'next expected in 3 min',
    'took 2 min 14 s'
  ]);
  assert.deepEqual(lastAndNext(check({ last_ping: null, next_ping: null }), NOW, english), ['no ping yet']);
});

test('times are edited in the largest unit that leaves nothing over', () => {
  assert.deepEqual(inUnits(300), [5, 60]);
  assert.deepEqual(inUnits(86400), [1, 86400]);
  assert.deepEqual(inUnits(90_000), [25, 3600]);
  assert.deepEqual(inUnits(61), [61 / 60, 60]);
});

test('a time is from a minute to a year', () => {
  assert.equal(periodProblem('1', 60, trans), null);
  assert.equal(periodProblem('365', 86400, trans), null);
  assert.equal(periodProblem('1,5', 3600, trans), null);
  for (const [text, unit] of [
    ['0.5', 60],
    ['366', 86400],
    ['', 60],
    ['x', 60],
    ['-1', 60],
    ['Infinity', 60]
  ] as const) {
    assert.match(periodProblem(text, unit, trans) ?? '', /1 minute/, text);
  }
});

test('tags are told apart by spaces and commas, each once', () => {
  assert.deepEqual(tagsOf(' a, b  a\tc '), ['a', 'b', 'c']);
});

test('downtime is counted by day and month, of the time that is known', () => {
  const flips = [
    { at: new Date(2026, 9, 20, 12).toISOString(), up: false },
    { at: new Date(2026, 9, 21, 6).toISOString(), up: true },
    { at: new Date(2026, 10, 13, 2, 40).toISOString(), up: false }
  ];
  const [september, october, november] = uptime(flips, false, new Date(2026, 9, 1), NOW, 3);
  assert.equal(september.up, null);
  assert.ok(september.days.every(({ down }) => down === null));
  assert.equal(september.days.length, 30);
  assert.equal(october.downtimes, 1);
  assert.equal(october.down, 18 * 3600);
  assert.equal(october.days[19].down, 0.5);
  assert.equal(october.days[20].down, 0.25);
  assert.equal(october.days[21].down, 0);
  assert.equal(november.downtimes, 1);
  assert.equal(november.down, 12 * 3600);
  assert.equal(november.days[12].down, 12 / (14 + 40 / 60));
  assert.equal(november.days[13].down, null);
});

test('without any flip all known time is as the check is now', () => {
  const [month] = uptime([], true, new Date(2026, 10, 10), NOW, 1);
  assert.equal(month.up, 100);
  assert.equal(month.days[8].down, null);
  assert.equal(month.days[9].down, 0);
});

test('snippets name the project where a name alone leads elsewhere, and the address where no name does', () => {
  const code = (changes: Partial<ICheck>, project: number | null | undefined) =>
    snippets(check(changes), project)
      .slice(0, 3)
      .map(({ code }) => code.trim());
  assert.deepEqual(code({}, 7), [
    '%%healthcheck nightly --project 7',
    'naas ping --project 7 nightly -- ./my-program',
    'from naas_client.checks import healthcheck\n\nwith healthcheck("nightly", project=7):\n    ...'
  ]);
  for (const name of ['', 'https://evil.example.org/x', '-x']) {
    assert.equal(code({ name }, null)[0], '%%healthcheck https://hc.example.org/ping/7f9c', name);
  }
  assert.equal(code({}, undefined)[1], 'naas ping https://hc.example.org/ping/7f9c -- ./my-program');
  assert.deepEqual(snippets(check({ ping_url: '' }), undefined), []);
});

test('snippets quote names, and leave out addresses that are not known', () => {
  const all = snippets(check({ name: "it's late" }), null);
  assert.equal(all[0].code, "%%healthcheck 'it'\\''s late'\n");
  assert.ok(all.find(({ id }) => id === 'python')!.code.includes('healthcheck("it\'s late")'));
  assert.ok(all.find(({ id }) => id === 'crontab')!.code.startsWith('*/5 * * * * '));
  assert.deepEqual(
    snippets(check({ ping_url: '' }), null).map(({ id }) => id),
    ['notebook', 'command', 'python']
  );
});

test('changes stand above the pings of their second, the newest first', () => {
  const at = (ms: number) => new Date(NOW.getTime() + ms).toISOString();
  const rows = happened({
    pings: [ping({ n: 2, at: at(400), type: 'fail' }), ping({ n: 1, at: at(100) })],
    flips: [
      { at: at(0), up: true },
      { at: at(0), up: false }
    ],
    next: null
  });
  assert.deepEqual(
    rows.map(row => ('flip' in row ? (row.flip.up ? 'up' : 'down') : row.ping.n)),
    ['down', 'up', 2, 1]
  );
});
