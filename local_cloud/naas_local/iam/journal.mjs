// Everything the provider must not forget, in memory and in one private file of JSON lines.
//
// A request's changes are written in one append before its answer leaves, so after `kill -9` a token that somebody holds is
// known, and a request that got no answer has changed nothing. Line: [model, id, record], record null for a removal.
import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';

import { errors } from 'oidc-provider';

const COMPACT_AFTER = 20_000; // lines; a start reads that many in a few tens of milliseconds

export class Journal {
  #file;
  #descriptor;
  #lines = 0;
  #models = new Map();
  #requests = new AsyncLocalStorage();

  constructor(file) {
    this.#file = file;
    if (fs.existsSync(file)) this.#replay(fs.readFileSync(file, 'utf8'));
    this.#compact();
  }

  // Runs one request; its changes reach the file together when it is done.
  async request(work) {
    const lines = [];
    try {
      await this.#requests.run(lines, work);
    } finally {
      this.#write(lines);
    }
  }

  get(model, id) {
    const record = this.#model(model).get(id);
    return record && !expired(record) ? record.payload : undefined;
  }

  values(model) {
    return [...this.#model(model).values()].filter((record) => !expired(record)).map(({ payload }) => payload);
  }

  entries() {
    return [...this.#models].flatMap(([model, records]) => [...records].map(([id, record]) => [model, id, record]));
  }

  put(model, id, payload, seconds) {
    this.#change(model, id, { payload, ...(seconds && { until: Date.now() + seconds * 1000 }) });
  }

  // The same record with other contents; its end stays.
  update(model, id, fields) {
    const record = this.#model(model).get(id);
    if (record) this.#change(model, id, { ...record, payload: { ...record.payload, ...fields } });
  }

  remove(model, id) {
    if (this.#model(model).has(id)) this.#change(model, id, null);
  }

  #model(name) {
    if (!this.#models.has(name)) this.#models.set(name, new Map());
    return this.#models.get(name);
  }

  #apply(model, id, record) {
    if (record) this.#model(model).set(id, record);
    else this.#model(model).delete(id);
  }

  #change(model, id, record) {
    this.#apply(model, id, record);
    const line = JSON.stringify([model, id, record]);
    const open = this.#requests.getStore();
    if (open) open.push(line);
    else this.#write([line]);
  }

  #write(lines) {
    if (!lines.length) return;
    fs.writeSync(this.#descriptor, `${lines.join('\n')}\n`);
    this.#lines += lines.length;
    if (this.#lines > COMPACT_AFTER) this.#compact();
  }

  #replay(text) {
    for (const line of text.split('\n').filter(Boolean)) {
      try {
        this.#apply(...JSON.parse(line));
      } catch {
        console.error(`journal: a line of ${this.#file} was cut off by a kill or a full disk; its answer never left`);
      }
    }
  }

  // Writes what is still valid to a new file and goes on there.
  #compact() {
    for (const [model, id, record] of this.entries()) if (expired(record)) this.#apply(model, id, null);
    const temporary = `${this.#file}~`;
    fs.rmSync(temporary, { force: true });
    const descriptor = fs.openSync(temporary, 'ax', 0o600);
    fs.writeSync(
      descriptor,
      this.entries()
        .map((entry) => `${JSON.stringify(entry)}\n`)
        .join(''),
    );
    fs.fsyncSync(descriptor);
    fs.renameSync(temporary, this.#file);
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#lines = 0;
  }
}

function expired({ until }) {
  return until !== undefined && until <= Date.now();
}

// oidc-provider's storage on a journal. An access token is a JWT and is looked up by `readToken(jwt)`, its verified payload.
export function adapterOn(journal, readToken, revokesOneToken) {
  return class Adapter {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, seconds) {
      journal.put(this.model, id, payload, seconds);
    }

    async find(id) {
      if (this.model !== 'AccessToken') return journal.get(this.model, id);
      const payload = await readToken(id);
      return payload?.jti && journal.get(this.model, payload.jti);
    }

    async findByUid(uid) {
      return journal.values(this.model).find((payload) => payload.uid === uid);
    }

    async findByUserCode(code) {
      return journal.values(this.model).find((payload) => payload.userCode === code);
    }

    // Of two requests with the same one-time value the second fails and takes the grant with it (RFC 9700 §4.14.2); the library
    // looks before it consumes, with waits in between, so the decision falls here.
    async consume(id) {
      const payload = journal.get(this.model, id);
      if (!payload || payload.consumed) {
        if (payload) removeGrant(journal, payload.grantId);
        throw new errors.InvalidGrant('already used');
      }
      journal.update(this.model, id, { consumed: Math.floor(Date.now() / 1000) });
    }

    async destroy(id) {
      journal.remove(this.model, id);
    }

    async revokeByGrantId(grantId) {
      if (revokesOneToken()) return; // IAM revokes an access token alone, not the grant it came from
      for (const [model, id, { payload }] of journal.entries()) {
        if (model === this.model && payload.grantId === grantId) journal.remove(model, id);
      }
    }
  };
}

function removeGrant(journal, grantId) {
  journal.remove('Grant', grantId);
  for (const [model, id, { payload }] of journal.entries()) if (payload.grantId === grantId) journal.remove(model, id);
}
