// The people, from a file that Python tools, tests and approvals change while we run; and what we claim about them.
import crypto from 'node:crypto';
import fs from 'node:fs';

export class Users {
  #file;
  #stamp = '';
  #document = { groups: [], users: [] };
  #byName = new Map();
  #bySubject = new Map();

  constructor(file) {
    this.#file = file;
    this.#fresh();
    if (!this.#stamp) throw new Error(`${file} cannot be used: mend it, or delete it to get the demo users again.`);
  }

  // The person with this password, or undefined. Suspended people cannot sign in.
  withPassword(username, password) {
    const person = this.#fresh().#byName.get(username);
    const known = same(person ? (person.password ?? person.username) : crypto.randomUUID(), password);
    return known && person && active(person) ? person : undefined;
  }

  bySubject(subject) {
    const person = this.#fresh().#bySubject.get(subject);
    return person && active(person) ? person : undefined;
  }

  demo() {
    return this.#fresh().#document.users.filter(
      (person) => person.demo && person.password === undefined && active(person),
    );
  }

  groupExists(name) {
    const { groups = [], users } = this.#fresh().#document;
    return groups.includes(name) || users.some((person) => person.groups.includes(name));
  }

  addToGroup(username, group) {
    const person = this.#fresh().#byName.get(username);
    if (!person) return;
    person.groups = [...new Set([...person.groups, group])];
    const temporary = `${this.#file}~`;
    fs.writeFileSync(temporary, `${JSON.stringify(this.#document, null, 2)}\n`, { mode: 0o600 });
    fs.renameSync(temporary, this.#file);
  }

  // Reads the file again when it changed; one that cannot be read leaves the people as they were.
  #fresh() {
    try {
      const { mtimeNs, ino, size } = fs.statSync(this.#file, { bigint: true });
      const stamp = `${mtimeNs} ${ino} ${size}`;
      if (stamp === this.#stamp) return this;
      const document = JSON.parse(fs.readFileSync(this.#file, 'utf8'));
      this.#byName = new Map(document.users.map((person) => [person.username, person]));
      this.#bySubject = new Map(document.users.map((person) => [person.sub, person]));
      [this.#document, this.#stamp] = [document, stamp];
    } catch (error) {
      console.error(`users: ${this.#file} not read: ${error.message}`);
    }
    return this;
  }
}

function active(person) {
  return person.active !== false;
}

function same(known, given) {
  const digest = (text) => crypto.createHash('sha256').update(String(text)).digest();
  return crypto.timingSafeEqual(digest(known), digest(given));
}

// INDIGO IAM's two token profiles: which one a scope asks for.
export function profileOf(scopes, fallback) {
  return scopes.has('wlcg') ? 'wlcg' : fallback;
}

// WLCG group claims have leading slashes and are absent when there is no group.
export function wlcgGroups(person) {
  return person.groups.length ? { 'wlcg.groups': person.groups.map((group) => `/${group}`) } : {};
}

// Everything that userinfo and id_token may say in a profile; the scopes then choose from it.
export function claimsOf(person, profile) {
  const { sub, username, name = username, email, email_verified = true } = person;
  const common = { sub, preferred_username: username, name, email, email_verified };
  if (profile === 'wlcg') return { ...common, ...wlcgGroups(person) };
  return { ...common, organisation_name: 'embedded', groups: person.groups };
}
