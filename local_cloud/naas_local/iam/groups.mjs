// Requests to join a group: IAM's /iam/group_requests, for programs (JSON) and people (pages).
import crypto from 'node:crypto';

import { showJoin, showRequests } from './pages.mjs';
import { fields, requireOwnPage } from './requests.mjs';

export const PAGES_CLIENT = 'iam-pages'; // lets our own pages send a browser to sign in
const BASE = '/iam/group_requests';
const RETURN = '/iam/signed-in';
const MODEL = 'GroupRequest';

export function pagesClient(issuer) {
  return {
    client_id: PAGES_CLIENT,
    client_name: 'INDIGO IAM',
    token_endpoint_auth_method: 'none',
    scope: 'openid',
    redirect_uris: [new URL(RETURN, issuer).href],
    response_types: ['none'],
    grant_types: ['authorization_code'],
  };
}

export function groupRequests(provider, { users, journal, config }) {
  return async (ctx, next) => {
    if (ctx.path === '/' && ctx.method === 'GET') return ctx.redirect(BASE);
    if (ctx.path === RETURN) return back(ctx);
    const [, rest = ''] = new RegExp(`^${BASE}(?:/(.*))?$`).exec(ctx.path) ?? [, null];
    if (rest === null) return next();
    const person = await whoAsks(ctx);
    if (!person) return signInFirst(ctx);
    if (ctx.method === 'GET') return read(ctx, person, rest);
    if (ctx.method !== 'POST') return ctx.throw(405, 'Only GET and POST are known here.');
    const [, uuid, verb] = /^([\w-]+)\/(approve|reject)$/.exec(rest) ?? [];
    if (!rest) return create(ctx, person);
    return verb ? decide(ctx, person, uuid, verb) : ctx.throw(404, 'There is no such page.');
  };

  // By access token, or by the browser's session; the latter may change something only from a page of ours.
  async function whoAsks(ctx) {
    const bearer = /^Bearer (\S+)$/i.exec(ctx.get('authorization'))?.[1];
    if (bearer) {
      const token = await provider.AccessToken.find(bearer);
      return token && (await provider.Grant.find(token.grantId)) ? users.bySubject(token.accountId) : undefined;
    }
    if (ctx.method !== 'GET') requireOwnPage(ctx);
    return users.bySubject((await provider.Session.get(ctx)).accountId);
  }

  function signInFirst(ctx) {
    if (ctx.method !== 'GET' || ctx.accepts('json', 'html') !== 'html') ctx.throw(401, 'Sign in first.');
    const query = {
      client_id: PAGES_CLIENT,
      response_type: 'none',
      scope: 'openid',
      redirect_uri: pagesClient(config.issuer).redirect_uris[0],
      state: ctx.url,
    };
    ctx.redirect(`/authorize?${new URLSearchParams(query)}`);
  }

  function back(ctx) {
    const target = String(ctx.query.state ?? '');
    ctx.redirect(target.startsWith(`${BASE}/`) || target.startsWith(`${BASE}?`) ? target : BASE);
  }

  function read(ctx, person, rest) {
    if (rest === 'new') {
      const group = joinable(ctx, person, ctx.query.group);
      return waiting(person, group) ? ctx.redirect(BASE) : showJoin(ctx, { person, group });
    }
    if (rest) return ctx.throw(404, 'There is no such page.');
    const mayDecide = isAdmin(person);
    const requests = journal.values(MODEL).filter(({ userUuid }) => mayDecide || userUuid === person.sub);
    if (ctx.accepts('json', 'html') === 'html') return showRequests(ctx, { person, requests, mayDecide });
    ctx.body = { totalResults: requests.length, startIndex: 1, itemsPerPage: requests.length, Resources: requests };
    return undefined;
  }

  function joinable(ctx, person, name) {
    const group = String(name ?? '').replace(/^\//, '');
    if (!users.groupExists(group)) ctx.throw(400, `There is no group “${group.slice(0, 80)}”. Check its name.`);
    if (person.groups.includes(group)) ctx.throw(400, `You are in ${group} already.`);
    return group;
  }

  function waiting(person, group) {
    return journal
      .values(MODEL)
      .some(
        ({ userUuid, groupName, status }) => userUuid === person.sub && groupName === group && status === 'PENDING',
      );
  }

  async function create(ctx, person) {
    const { groupName, notes = '' } = await fields(ctx);
    const group = joinable(ctx, person, groupName);
    if (waiting(person, group)) ctx.throw(400, `Your request to join ${group} is waiting for a decision.`);
    if (String(notes).length > 1000) ctx.throw(400, 'The notes are longer than 1000 characters. Shorten them.');
    const request = {
      uuid: crypto.randomUUID(),
      userUuid: person.sub,
      username: person.username,
      userFullName: person.name,
      groupName: group,
      notes: String(notes),
      status: 'PENDING',
      creationTime: new Date().toISOString(),
    };
    journal.put(MODEL, request.uuid, request);
    answer(ctx, request, 201);
  }

  function decide(ctx, person, uuid, verb) {
    if (!isAdmin(person)) ctx.throw(403, 'Only administrators decide on requests.');
    const request = journal.get(MODEL, uuid);
    if (!request) ctx.throw(404, 'There is no such request.');
    if (request.status !== 'PENDING') ctx.throw(400, 'Somebody has decided on this request already.');
    if (verb === 'approve') users.addToGroup(request.username, request.groupName);
    const status = verb === 'approve' ? 'APPROVED' : 'REJECTED';
    journal.update(MODEL, uuid, { status, lastUpdateTime: new Date().toISOString() });
    answer(ctx, journal.get(MODEL, uuid), 200);
  }

  function answer(ctx, request, status) {
    if (ctx.accepts('json', 'html') === 'html') {
      ctx.redirect(BASE);
      ctx.status = 303;
    } else {
      ctx.status = status;
      ctx.body = request;
    }
  }

  function isAdmin(person) {
    return person.groups.some((group) => config.admin_groups.includes(group));
  }
}
