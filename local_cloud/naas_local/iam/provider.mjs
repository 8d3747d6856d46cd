// oidc-provider, configured to be INDIGO IAM: its endpoints, profiles, lifetimes and habits.
import { Provider, errors, interactionPolicy } from 'oidc-provider';

import { PAGES_CLIENT, pagesClient } from './groups.mjs';
import { adapterOn } from './journal.mjs';
import * as pages from './pages.mjs';
import { unmarked } from './requests.mjs';
import { addTokenExchange, rememberAudience, TOKEN_EXCHANGE, useJwtAccessTokens } from './tokens.mjs';
import { claimsOf, profileOf } from './users.mjs';

const DAY = 86400;
const ADMIN_GRANTS = new Set([TOKEN_EXCHANGE, 'client_credentials', 'password']); // only an administrator gives these to a client

const ROUTES = {
  authorization: '/authorize',
  token: '/token',
  userinfo: '/userinfo',
  jwks: '/jwk',
  introspection: '/introspect',
  revocation: '/revoke',
  device_authorization: '/devicecode',
  code_verification: '/device',
  registration: '/iam/api/client-registration',
  end_session: '/endsession',
};
const CLAIMS = {
  openid: ['sub'],
  email: ['email', 'email_verified'],
  'wlcg.groups': ['wlcg.groups'],
  profile: ['name', 'preferred_username', 'organisation_name', 'groups'],
};

export function createProvider({ config, keys, journal, users, key }) {
  const provider = new Provider(config.issuer, {
    ...memory({ config, keys, journal, key }),
    ...people({ config, users }),
    ...habits(config),
    features: features(),
    renderError: (ctx, out) => pages.showError(ctx, out.error_description ?? out.error),
  });
  useJwtAccessTokens(provider, { users, key, config });
  addTokenExchange(provider, { users });
  for (const event of [
    'server_error',
    'grant.error',
    'authorization.error',
    'userinfo.error',
    'registration_create.error',
  ]) {
    provider.on(event, (ctx, error) =>
      console.error(`${event}: ${error.error ?? ''} ${error.error_description ?? error.stack}`),
    );
  }
  return provider;
}

function memory({ config, keys, journal, key }) {
  const revokesOneToken = () => Provider.ctx?.oidc.route === 'revocation' && Provider.ctx.oidc.entities.AccessToken;
  return {
    adapter: adapterOn(journal, (token) => key.read(unmarked(token)), revokesOneToken),
    jwks: keys.jwks,
    clients: [...config.clients, pagesClient(config.issuer)],
    ttl: {
      AccessToken: config.ttl.access_token,
      RefreshToken: config.ttl.refresh_token,
      Session: config.ttl.session,
      IdToken: 600,
      DeviceCode: 600,
      AuthorizationCode: 60,
      Interaction: 3600,
      Grant: 20 * 365 * DAY, // a grant lives while a refresh token of it does; each rotation gives one its full life
    },
    clockTolerance: 0,
    cookies: {
      keys: keys.cookies,
      names: { session: 'iam_session', interaction: 'iam_interaction', resume: 'iam_resume' },
    },
  };
}

function people({ config, users }) {
  return {
    scopes: config.scopes.split(' '),
    claims: CLAIMS,
    conformIdTokenClaims: false, // IAM's id_token says what its scopes allow
    async findAccount(ctx, subject) {
      if (!users.bySubject(subject)) return undefined;
      const claims = (use, scope) =>
        claimsOf(users.bySubject(subject), profileOf(new Set(scope.split(' ')), config.profile));
      return { accountId: subject, claims };
    },
    // Every authorization is a grant of its own, so the loss of one ends nothing else.
    async loadExistingGrant(ctx) {
      const { client, session, params } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope ?? 'openid');
      rememberAudience(grant, params.audience);
      await grant.save();
      return grant;
    },
    extraTokenClaims: (ctx) => (ctx.state.actor ? { act: { sub: ctx.state.actor } } : undefined),
  };
}

function habits(config) {
  const policy = interactionPolicy.base();
  const configured = new Set(config.clients.map(({ client_id }) => client_id));
  policy.get('consent').checks.clear();
  policy.get('consent').checks.add(selfRegistered(new Set([...configured, PAGES_CLIENT])));
  return {
    routes: ROUTES,
    responseTypes: ['code', 'none'],
    extraParams: ['audience'],
    interactions: { policy, url: (ctx, { uid }) => `/login/${uid}` },
    pkce: {
      required: (ctx, { clientId, clientAuthMethod }) =>
        configured.has(clientId) || (clientAuthMethod === 'none' && clientId !== PAGES_CLIENT),
    },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    extraClientMetadata: { properties: ['contacts'], validator: refuseAdminGrants },
  };
}

// Anybody can register a client, so each authorization of such a one is asked of the person; a device has its own question.
function selfRegistered(known) {
  const { REQUEST_PROMPT, NO_NEED_TO_PROMPT } = interactionPolicy.Check;
  return new interactionPolicy.Check('self_registered', 'the person has not agreed', 'consent_required', (ctx) => {
    const { client, result, route } = ctx.oidc;
    const asked = known.has(client.clientId) || result?.consent || !['authorization', 'resume'].includes(route);
    return asked ? NO_NEED_TO_PROMPT : REQUEST_PROMPT;
  });
}

// Called with a context only when somebody registers or changes a client.
function refuseAdminGrants(ctx, property, value, metadata) {
  if (ctx && metadata.grant_types?.some((grant) => ADMIN_GRANTS.has(grant))) {
    throw new errors.InvalidClientMetadata(
      'grant_types: an administrator must add token exchange, client credentials and password',
    );
  }
}

function features() {
  const name = (client) => client?.clientName ?? client?.clientId;
  return {
    devInteractions: { enabled: false },
    resourceIndicators: { enabled: false }, // audiences are ours, see tokens.mjs
    pushedAuthorizationRequests: { enabled: false }, // IAM has neither this nor DPoP
    dPoP: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: false },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form, out, error) => pages.showDeviceCode(ctx, form, error && deviceProblem(error)),
      userCodeConfirmSource: (ctx, form, client, info, code) => pages.showDeviceConfirm(ctx, form, name(client), code),
      successSource: (ctx) => pages.showDeviceDone(ctx, name(ctx.oidc.client)),
    },
    rpInitiatedLogout: {
      enabled: true,
      // Somebody else's link can bring a browser here, so it signs out by itself only on the way back to a registered page.
      logoutSource: (ctx, form) =>
        pages.showLogout(ctx, form, ctx.oidc.params.post_logout_redirect_uri && name(ctx.oidc.client)),
      postLogoutSuccessSource: pages.showSignedOut,
    },
  };
}

function deviceProblem(error) {
  if (error.name === 'AbortedError') return 'You refused. Nothing was connected.';
  if (error.userCode || error.name === 'NoCodeError')
    return 'This code is not known (any more). Check it, or start again on your device.';
  return 'Something went wrong. Start again on your device.';
}
