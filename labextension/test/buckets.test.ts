import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import { baseName, bucketProblem, nameProblem, parentOf, placeOf, shown, steps } from '../src/buckets/keys';
import { Listing } from '../src/buckets/listing';
import { ISending, Transfers } from '../src/buckets/transfers';
import { reveal, visible } from '../src/buckets/visible';
import type { IObjectPage } from '../src/documents';
import { readFile, readObject } from '../src/snippets';
import { trans } from './words';

for (const [key, base, parent] of [
  ['a', 'a', ''],
  ['a/b.txt', 'b.txt', 'a/'],
  ['a/b/', 'b', 'a/'],
  ['a//b', 'b', 'a//'],
  ['a//', '', 'a/'],
  ['/', '', '']
] as const) {
  test(`key ${key} is ${base} in ${parent}`, () => {
    assert.equal(baseName(key), base);
    assert.equal(parentOf(key), parent);
  });
}

test('each step of the way leads to its own prefix, also one without a name', () =>
  assert.deepEqual(steps('a//b/'), [
    { name: 'a', prefix: 'a/' },
    { name: '', prefix: 'a//' },
    { name: 'b', prefix: 'a//b/' }
  ]));

test('names that would break a line, or are none, can be seen', () => {
  assert.equal(shown('two\nlines\t', trans), 'two␊lines␉');
  assert.equal(shown('', trans), '(no name)');
});

for (const [name, problem] of [
  ['run 1.csv', null],
  ['', 'Give it a name.'],
  ['a/b', 'A name has no slash. Make the outer folder first.'],
  ['..', 'Folders in notebooks cannot show this name. Choose another one.'],
  ['é'.repeat(512), 'Folder and name are longer than 1024 bytes. Choose a shorter name.']
] as const) {
  test(`a file called ${name.slice(0, 9)} → ${problem}`, () =>
    assert.equal(nameProblem(name, 'a/', trans), problem));
}

for (const [name, problem] of [
  ['runs-2026', null],
  ['Runs', 'Use small letters, digits and hyphens.'],
  ['a.b', 'Use small letters, digits and hyphens.'],
  ['a-', 'The last character is a letter or a digit.'],
  ['a'.repeat(57), 'At most 56 characters fit after alice--.']
] as const) {
  test(`a bucket called alice--${name.slice(0, 9)} → ${problem}`, () =>
    assert.equal(bucketProblem('alice--', name, trans), problem));
}

test("a mounted folder's place in the store", () => {
  assert.deepEqual(placeOf({ bucket: 'alice', prefix: '' }), { bucket: 'alice', prefix: '' });
  assert.deepEqual(placeOf({ bucket: 'cygno-data', prefix: 'runs/2026' }), {
    bucket: 'cygno-data',
    prefix: 'runs/2026/'
  });
});

test('of a hundred thousand rows only those in sight are drawn', () => {
  assert.deepEqual(visible(0, 640, 32, 100_000), { first: 0, end: 32 });
  const { first, end } = visible(1_600_000, 640, 32, 100_000);
  assert.ok(first < 50_000 && end > 50_020 && end - first < 60);
  assert.deepEqual(visible(9_999, 640, 32, 3), { first: 3, end: 3 });
});

test('a row is scrolled to only when it is out of sight', () => {
  assert.equal(reveal(5, 0, 640, 32), 0);
  assert.equal(reveal(100, 0, 640, 32), 101 * 32 - 640);
  assert.equal(reveal(2, 320, 640, 32), 64);
});

const asFailure = (error: unknown) => ({ code: (error as Error).message, message: 'm', requestId: '' });
const object = (key: string) => ({
  key,
  folder: false,
  size: 1,
  modified_at: null,
  version: null,
  latest: true,
  deleted: false
});
const page = (key: string, next: string | null, scanned = 1): IObjectPage => ({
  items: [object(key)],
  next,
  scanned
});

test('pages follow each other by their token, and a refresh begins anew', async () => {
  const asked: (string | null)[] = [];
  const pages: Record<string, IObjectPage> = { '': page('a', 't1'), t1: page('b', null) };
  const listing = new Listing(
    async cursor => {
      asked.push(cursor);
      return pages[cursor ?? ''];
    },
    asFailure,
    () => undefined
  );
  await listing.refresh();
  await Promise.all([listing.more(), listing.more()]);
  assert.deepEqual(
    listing.listed?.items.map(({ key }) => key),
    ['a', 'b']
  );
  await listing.more();
  await listing.refresh();
  assert.deepEqual(asked, [null, 't1', null]);
  assert.equal(listing.listed?.pages, 1);
});

test('a key that comes twice is one row', async () => {
  const listing = new Listing(
    async cursor => page('a', cursor === null ? 't1' : null),
    asFailure,
    () => undefined
  );
  await listing.refresh();
  await listing.more();
  assert.equal(listing.listed?.items.length, 1);
});

test('an answer that was overtaken by a refresh is not shown', async () => {
  const answers: ((page: IObjectPage) => void)[] = [];
  const listing = new Listing(
    () => new Promise(resolve => answers.push(resolve)),
    asFailure,
    () => undefined
  );
  const first = listing.refresh();
  const second = listing.refresh();
  answers[1](page('new', null));
  answers[0](page('old', null));
  await Promise.all([first, second]);
  assert.equal(listing.listed?.items[0].key, 'new');
  assert.equal(listing.busy, false);
});

test('a page that fails leaves the rows and says why', async () => {
  let down = false;
  const listing = new Listing(
    async () => {
      if (down) {
        throw new Error('store-down');
      }
      return page('a', 't1');
    },
    asFailure,
    () => undefined
  );
  await listing.refresh();
  down = true;
  await listing.more();
  const view = listing.view(30);
  assert.equal(view.kind === 'data' && view.data.items.length, 1);
  assert.equal(view.kind === 'data' && view.failure?.code, 'store-down');
});

test('a search pauses after very many keys, and goes on when asked', async () => {
  const listing = new Listing(
    async () => page('a', 'more', 60_000),
    asFailure,
    () => undefined
  );
  await listing.refresh();
  assert.equal(listing.paused, false);
  await listing.more();
  assert.equal(listing.paused, true);
  await listing.goOn();
  assert.equal(listing.paused, false);
});

/** A store whose uploads a test ends. */
class Sending implements ISending {
  readonly there = new Set<string>();
  readonly sent: string[] = [];
  readonly running = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();

  async has(_: string, key: string): Promise<boolean> {
    return this.there.has(key);
  }

  upload(
    _: string,
    key: string,
    file: Blob,
    _replace: boolean,
    progress: (sent: number) => void,
    signal: AbortSignal
  ): Promise<void> {
    this.sent.push(key);
    progress(file.size / 2);
    return new Promise((resolve, reject) => {
      this.running.set(key, { resolve, reject });
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }
}

const settled = () => new Promise(resolve => setImmediate(resolve));

function transfers(): { store: Sending; list: Transfers; saved: string[] } {
  const store = new Sending();
  const saved: string[] = [];
  const list = new Transfers(
    store,
    asFailure,
    () => undefined,
    ({ key }) => saved.push(key)
  );
  return { store, list, saved };
}

const files = (...keys: string[]) => keys.map(key => ({ key, file: new Blob(['1234']) }));
const states = (list: Transfers) => list.all.map(({ state }) => state);

test('three files are sent at once, the next one when a place is free', async () => {
  const { store, list, saved } = transfers();
  list.add('alice', files('a', 'b', 'c', 'd'));
  await settled();
  assert.deepEqual(store.sent, ['a', 'b', 'c']);
  assert.equal(list.all[0].sent, 2);
  store.running.get('b')!.resolve();
  await settled();
  assert.deepEqual(states(list), ['uploading', 'saved', 'uploading', 'uploading']);
  assert.deepEqual(saved, ['b']);
  assert.equal(list.running, true);
});

test('a file that is there already is asked about, and replaced only then', async () => {
  const { store, list } = transfers();
  store.there.add('a');
  list.add('alice', files('a'));
  await settled();
  assert.deepEqual(states(list), ['exists']);
  assert.deepEqual(store.sent, []);
  list.retry([list.all[0].id], true);
  await settled();
  assert.deepEqual(store.sent, ['a']);
});

test('a refused file stays with its cause and can be sent again', async () => {
  const { store, list } = transfers();
  list.add('alice', files('a'));
  await settled();
  store.running.get('a')!.reject(new Error('quota'));
  await settled();
  assert.equal(list.all[0].failure?.code, 'quota');
  assert.equal(list.running, false);
  list.retry([list.all[0].id]);
  await settled();
  store.running.get('a')!.resolve();
  await settled();
  assert.deepEqual(states(list), ['saved']);
  list.clear();
  assert.equal(list.all.length, 0);
});

test('a cancelled file is stopped and its place is free', async () => {
  const { store, list } = transfers();
  list.add('alice', files('a', 'b', 'c', 'd'));
  await settled();
  list.cancel([list.all[0].id]);
  await settled();
  assert.deepEqual(store.sent, ['a', 'b', 'c', 'd']);
  assert.deepEqual(states(list), ['uploading', 'uploading', 'uploading']);
});

for (const [key, line] of [
  ['t.csv', 'table = pd.read_csv(file)'],
  ['t.PARQUET', 'table = pd.read_parquet(file)'],
  ['a.npy', 'array = np.load(file)'],
  ['x.root', 'print(uproot.open(file).keys())'],
  ['constructor', 'data = file.read()'],
  ['x.constructor', 'data = file.read()'],
  ['no/type', 'data = file.read()']
] as const) {
  test(`code to read ${key}`, () => {
    assert.ok(readObject('alice', key).endsWith(`    ${line}`));
    assert.ok(readFile(`/h/${key}`).endsWith(`    ${line}`));
  });
}

test('a key cannot leave its place in the code', () =>
  assert.match(readObject('alice', 'a"\n)'), /fs\.open\("alice\/a\\"\\n\)", "rb"\)/));
