// What every request passes before it reaches the provider or a page of ours.
import querystring from 'node:querystring';

import { requestedAudience } from './tokens.mjs';
import { claimsOf, profileOf } from './users.mjs';
import { showError } from './pages.mjs';

const BODY_LIMIT = 56 * 1024; // bytes, as oidc-provider
const FORM_ENDPOINTS = new Set(['/token', '/introspect', '/revoke', '/devicecode']);

// The fields of a form or JSON body. Also leaves them where oidc-provider finds them, since a body can be read once.
export async function fields(ctx) {
  if (ctx.req.body) return ctx.req.body;
  const chunks = [];
  let size = 0;
  for await (const chunk of ctx.req) {
    size += chunk.length;
    if (size > BODY_LIMIT) ctx.throw(413, 'The request is too large.');
    chunks.push(chunk);
  }
  ctx.req.body = parsed(ctx, Buffer.concat(chunks).toString());
  return ctx.req.body;
}

function parsed(ctx, text) {
  if (!ctx.is('json')) return querystring.parse(text);
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // answered below
  }
  return ctx.throw(400, 'The request is not a JSON object.');
}

// A form of ours must come from a page of ours: browsers say on POST where it comes from (and a cookie needs a browser).
export function requireOwnPage(ctx) {
  const origin = ctx.get('origin');
  const foreign = origin ? origin !== `${ctx.protocol}://${ctx.host}` : ctx.get('sec-fetch-site');
  if (foreign) ctx.throw(403, 'This form was sent from another site. Open the page here and send it again.');
}

// Errors of our own pages and of this file, for people or programs.
export async function answerErrors(ctx, next) {
  try {
    await next();
  } catch (error) {
    ctx.status = error.status ?? error.statusCode ?? 500;
    if (ctx.status >= 500) console.error(`${ctx.method} ${ctx.path}:`, error);
    const code = error.error ?? (ctx.status >= 500 ? 'server_error' : 'invalid_request');
    const message =
      ctx.status >= 500 ? 'Something went wrong here. Try again.' : (error.error_description ?? error.message);
    if (ctx.accepts('json', 'html') === 'html') showError(ctx, message);
    else ctx.body = { error: code, error_description: message };
  }
}

// A page elsewhere that has its own name point at loopback (DNS rebinding) must not reach the demo passwords.
export function onlyOwnHost(issuer, port) {
  const known = new Set([
    new URL(issuer).host,
    ...['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`),
  ]);
  return (ctx, next) => {
    if (!known.has(ctx.host)) ctx.throw(421, 'This address is not ours.');
    return next();
  };
}

// IAM's issuer ends in a slash, so some clients ask for `//.well-known/…`.
export function collapseSlashes(ctx, next) {
  ctx.path = ctx.path.replace(/^\/{2,}/, '/');
  return next();
}

// IAM's habits at /authorize: three names for the audience, and a refresh token for `offline_access` without asking.
export function authorizeLikeIam(ctx, next) {
  if (ctx.path === '/authorize') {
    const { aud, audience, resource, ...query } = ctx.query;
    const offline = String(query.scope).split(' ').includes('offline_access');
    if (offline && !['none', 'consent'].includes(query.prompt))
      query.prompt = [query.prompt, 'consent'].flat().filter(Boolean).join(' ');
    const wanted = requestedAudience({ aud, audience, resource });
    ctx.query = { ...query, ...(wanted && { audience: wanted }) };
  }
  return next();
}

// The same at the endpoints that take forms. JWT access tokens pass as opaque ones, which they are to the store.
export async function formsLikeIam(ctx, next) {
  if (ctx.method !== 'POST' || !FORM_ENDPOINTS.has(ctx.path) || !ctx.is('urlencoded')) return next();
  const { aud, audience, resource, ...form } = await fields(ctx);
  const wanted = requestedAudience({ aud, audience, resource });
  ctx.state.audience = wanted;
  if (ctx.path === '/devicecode' && wanted) form.audience = wanted;
  if (['/introspect', '/revoke'].includes(ctx.path) && /^eyJ/.test(form.token)) form.token = `${JWT_MARK}${form.token}`;
  ctx.req.body = form;
  return next();
}

const JWT_MARK = '~'; // keeps oidc-provider from refusing a JWT unseen

export function unmarked(token) {
  return token.startsWith(JWT_MARK) ? token.slice(JWT_MARK.length) : token;
}

// IAM's introspection also says who it is, as the token's scopes allow.
export function introspectLikeIam({ users, key, config }) {
  return async (ctx, next) => {
    await next();
    if (ctx.path !== '/introspect' || !ctx.body?.active) return;
    const scopes = new Set(ctx.body.scope?.split(' '));
    const person = users.bySubject(ctx.body.sub);
    if (!person) {
      ctx.body = { active: false };
      return;
    }
    const { preferred_username, name, groups, organisation_name, email, ...rest } = claimsOf(
      person,
      profileOf(scopes, config.profile),
    );
    const { aud, jti, nbf } = (await key.read(unmarked(ctx.req.body.token))) ?? {};
    ctx.body = {
      ...ctx.body,
      ...(scopes.has('profile') && { preferred_username, name, groups, organisation_name }),
      ...(scopes.has('email') && { email }),
      ...(scopes.has('wlcg.groups') && { 'wlcg.groups': rest['wlcg.groups'] }),
      username: preferred_username,
      user_id: preferred_username,
      aud,
      jti,
      nbf,
    };
  };
}
