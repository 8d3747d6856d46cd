// Access tokens as INDIGO IAM makes them: signed JWTs whose audience is chosen at any request for one.
import * as jose from 'jose';
import { Provider, errors } from 'oidc-provider';

import { claimsOf, profileOf, wlcgGroups } from './users.mjs';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ANY_AUDIENCE = 'https://wlcg.cern.ch/jwt/v1/any'; // WLCG Common JWT Profiles 1.0, "aud"
const AUDIENCE = /^[\x21-\x7e]+( [\x21-\x7e]+)*$/;
const AUDIENCE_RESOURCE = 'audience'; // where a grant keeps the audience of its authorization request

// Signs with the key and verifies with its public half.
export async function tokenKey(jwk, issuer) {
  const { kid, alg } = jwk;
  const [secret, open] = await Promise.all([jose.importJWK(jwk, alg), jose.importJWK(publicPart(jwk), alg)]);
  return {
    sign: (claims) => new jose.SignJWT(claims).setProtectedHeader({ alg, kid }).sign(secret),
    read: async (token) => {
      try {
        return (await jose.jwtVerify(token, open, { issuer, algorithms: [alg] })).payload;
      } catch {
        return undefined;
      }
    },
  };
}

function publicPart({ kty, n, e, alg, kid }) {
  return { kty, n, e, alg, kid };
}

// The `aud`, `audience` and `resource` of a request as one list with spaces; IAM takes all three names, and several values.
export function requestedAudience({ aud = [], audience = [], resource = [] }) {
  const wanted = [...new Set([aud, audience, resource].flat().join(' ').split(' ').filter(Boolean))].join(' ');
  if (wanted.length > 512 || (wanted && !AUDIENCE.test(wanted)))
    throw new errors.InvalidTarget('not a usable audience');
  return wanted || undefined;
}

export function rememberAudience(grant, audience) {
  if (audience) grant.addResourceScope(AUDIENCE_RESOURCE, audience);
}

function audienceNow(ctx, profile) {
  const wanted = ctx.state.audience ?? ctx.oidc.entities.Grant?.resources?.[AUDIENCE_RESOURCE];
  if (!wanted) return profile === 'wlcg' ? ANY_AUDIENCE : undefined;
  const several = wanted.split(' ');
  return several.length === 1 ? wanted : several;
}

// What of a person goes into an access token. IAM itself adds only `sub`; `preferred_username` is ours, for log lines.
function authenticationInfo(person, scopes, profile, all) {
  const { sub, ...claims } = claimsOf(person, profile);
  const chosen = { preferred_username: claims.preferred_username };
  if (profile === 'wlcg') return { ...chosen, ...(scopes.has('wlcg.groups') && wlcgGroups(person)) };
  if (all && scopes.has('profile')) {
    Object.assign(chosen, { name: claims.name, organisation_name: claims.organisation_name, groups: claims.groups });
  }
  if (all && scopes.has('email')) chosen.email = claims.email;
  return chosen;
}

// Makes oidc-provider's access tokens JWTs. They are stored as well, so they can be revoked, introspected and used at userinfo
// whatever their audience; its own JWT format (resource indicators) allows none of that.
export function useJwtAccessTokens(provider, { users, key, config }) {
  const { getValueAndPayload } = provider.AccessToken.prototype;
  provider.AccessToken.prototype.getValueAndPayload = async function jwt() {
    const { payload } = await getValueAndPayload.call(this);
    const profile = profileOf(this.scopes, config.profile);
    const { accountId: sub, clientId: client_id, iat, exp, jti, scope, extra } = payload;
    const value = await key.sign({
      ...authenticationInfo(users.bySubject(sub), this.scopes, profile, config.include_authn_info),
      ...extra,
      ...(profile === 'wlcg' && { 'wlcg.ver': '1.0', nbf: iat, scope }),
      iss: provider.issuer,
      sub,
      client_id,
      aud: audienceNow(Provider.ctx, profile),
      iat,
      exp,
      jti,
    });
    return { value, payload };
  };
}

// RFC 8693 as IAM does it: another scope or audience for the same person; `offline_access` starts a grant of its own.
export function addTokenExchange(provider, { users }) {
  async function exchange(ctx) {
    const { client } = ctx.oidc;
    const { subject_token, subject_token_type, requested_token_type = ACCESS_TOKEN } = ctx.oidc.params;
    if (subject_token_type !== ACCESS_TOKEN || requested_token_type !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest(`only ${ACCESS_TOKEN} can be exchanged, and only for another`);
    }
    const subject = await provider.AccessToken.find(subject_token);
    if (!subject || !users.bySubject(subject.accountId) || !(await provider.Grant.find(subject.grantId))) {
      throw new errors.InvalidGrant('subject_token is not valid (any more)');
    }
    const scope = exchangedScope(ctx, client, subject);
    const base = await exchangedGrant(ctx, { accountId: subject.accountId, client, gty: TOKEN_EXCHANGE, scope });
    ctx.state.actor = client.clientId;
    const token = new provider.AccessToken(base);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope,
    };
    if (token.scopes.has('offline_access')) {
      ctx.body.refresh_token = await new provider.RefreshToken({ ...base, rotations: 0 }).save();
    }
  }

  async function exchangedGrant(ctx, base) {
    const grant = new provider.Grant({ clientId: base.client.clientId, accountId: base.accountId });
    grant.addOIDCScope(base.scope);
    rememberAudience(grant, ctx.state.audience);
    ctx.oidc.entity('Grant', grant);
    return { ...base, grantId: await grant.save() };
  }

  provider.registerGrantType(TOKEN_EXCHANGE, exchange, [
    'subject_token',
    'subject_token_type',
    'requested_token_type',
    'scope',
  ]);
}

function exchangedScope(ctx, client, subject) {
  const allowed = new Set(client.scope?.split(' '));
  const wanted = ctx.oidc.params.scope?.split(' ') ?? [...subject.scopes].filter((scope) => scope !== 'offline_access');
  const refused = wanted.find((scope) => !allowed.has(scope));
  if (refused !== undefined) throw new errors.InvalidScope('requested scope is not allowed', refused);
  return wanted.join(' ');
}
