import * as assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

type Catalogue = Record<string, string[]>;

const CATALOGUE = '../server_extension/naas_server/locale/it_IT/LC_MESSAGES/jupyterlab_naas.json';
const STRING = "'((?:[^'\\\\]|\\\\.)*)'";

function sources(): string {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter(name => /\.tsx?$/.test(name))
    .map(name => readFileSync(join('src', name), 'utf8'))
    .join('\n');
}

/** Every sentence in the code, with its plural where it has one. */
function sentences(): Map<string, string | null> {
  const found = new Map<string, string | null>();
  const text = sources();
  for (const [, one] of text.matchAll(new RegExp(`\\b__\\(\\s*${STRING}`, 'g'))) {
    found.set(one, null);
  }
  for (const [, one, many] of text.matchAll(new RegExp(`\\b_n\\(\\s*${STRING},\\s*${STRING}`, 'g'))) {
    found.set(one, many);
  }
  for (const [, one] of text.matchAll(new RegExp(`ApiError\\(\\s*[^,]+,\\s*${STRING}`, 'g'))) {
    found.set(one, null);
  }
  return found;
}

const italian = JSON.parse(readFileSync(CATALOGUE, 'utf8')) as Catalogue;
const places = (text: string) => (text.match(/%\d/g) ?? []).sort().join();

test('there are sentences to check', () => assert.ok(sentences().size > 60));

test('every sentence of the panel is in Italian, with its plural', () => {
  for (const [one, many] of sentences()) {
    assert.ok(italian[one], `no Italian for: ${one}`);
    assert.equal(italian[one].length, many === null ? 1 : 2, one);
  }
});

test('a translation has the same places as the sentence', () => {
  for (const [one, many] of sentences()) {
    assert.equal(places(italian[one][0]), places(one), one);
    if (many !== null) {
      assert.equal(places(italian[one][1]), places(many), many);
    }
  }
});

test('no sentence is given to the translator in pieces that it cannot find', () => {
  assert.equal(sources().match(/\b(?:__|_n)\(\s*[`"]/), null);
});
