// The embedded IAM. Usage: node main.mjs CONFIG, a private JSON file that Python wrote (see part.py).
import './runtime.mjs';

import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const CONFIG = process.argv[2];

function refuse(sentence) {
  console.error(sentence);
  process.exit(2);
}

function privateJson(file) {
  if (fs.statSync(file).mode & 0o077)
    refuse(`${file} is readable by others: run \`chmod 600 ${file}\` and start again.`);
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

if (!CONFIG) refuse('Usage: node main.mjs CONFIG');
const config = privateJson(CONFIG);
// The passwords of the demo users are public knowledge.
if (!/^127(\.\d{1,3}){3}$/.test(config.host))
  refuse(`The embedded IAM listens on 127.0.0.1, not on ${config.host}: change "host" in ${CONFIG}.`);

const [{ createProvider }, { groupRequests }, { Journal }, requests, { signInPages }, { tokenKey }, { Users }] =
  await Promise.all(
    ['provider', 'groups', 'journal', 'requests', 'sign_in', 'tokens', 'users'].map((name) => import(`./${name}.mjs`)),
  );

// The port is the lock: nobody else has our data open once it is ours.
let handle = (request, response) => response.writeHead(503).end();
const server = http.createServer((request, response) => handle(request, response));
server.on('error', (error) =>
  refuse(`The embedded IAM cannot listen on ${config.host}:${config.port}: ${error.message}`),
);
server.listen(config.port, config.host);
await once(server, 'listening');

const inData = (name) => path.join(config.data, name);
const keys = privateJson(inData('keys.json'));
const journal = new Journal(inData('journal.jsonl'));
const users = new Users(inData('users.json'));
const key = await tokenKey(keys.jwks.keys[0], config.issuer);
const parts = { config, keys, journal, users, key };
const provider = createProvider(parts);

for (const layer of [
  requests.answerErrors,
  (ctx, next) => journal.request(next),
  requests.onlyOwnHost(config.issuer, config.port),
  requests.collapseSlashes,
  ready,
  requests.authorizeLikeIam,
  requests.formsLikeIam,
  discoverLikeIam,
  requests.introspectLikeIam(parts),
  signInPages(provider, users),
  groupRequests(provider, parts),
])
  provider.use(layer);

function ready(ctx, next) {
  if (ctx.path !== '/ready') return next();
  ctx.body = 'ready\n';
  return undefined;
}

// The issuer of IAM's discovery document ends in a slash whatever its tokens say.
async function discoverLikeIam(ctx, next) {
  await next();
  if (ctx.path.startsWith('/.well-known/') && ctx.body?.issuer) ctx.body.issuer = ctx.body.issuer.replace(/\/?$/, '/');
}

handle = provider.callback();
console.log(`embedded IAM ${config.issuer} ready after ${Math.round(performance.now())} ms`);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
