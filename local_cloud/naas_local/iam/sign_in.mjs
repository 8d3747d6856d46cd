// Where a browser types a password, and where a person allows a client that nobody here has checked.
import { requireOwnPage, fields } from './requests.mjs';
import { showConsent, showLogin } from './pages.mjs';

export function signInPages(provider, users) {
  return async (ctx, next) => {
    const uid = /^\/login\/([\w-]+)$/.exec(ctx.path)?.[1];
    if (!uid || !['GET', 'POST'].includes(ctx.method)) return next();
    const interaction = await interactionOf(ctx, uid);
    const client = await provider.Client.find(interaction.params.client_id);
    if (interaction.prompt.name === 'consent') return consent(ctx, interaction, client);
    const page = { client: client?.clientName ?? interaction.params.client_id, people: users.demo() };
    if (ctx.method === 'GET') return showLogin(ctx, { ...page, username: interaction.params.login_hint });
    requireOwnPage(ctx);
    const { username = '', password = '', cancel } = await fields(ctx);
    if (cancel) return finish(ctx, { error: 'access_denied', error_description: 'the person did not sign in' });
    const person = users.withPassword(String(username), String(password));
    if (!person) {
      ctx.status = 401;
      return showLogin(ctx, { ...page, username, wrong: true });
    }
    return finish(ctx, { login: { accountId: person.sub } });
  };

  async function consent(ctx, { params }, client) {
    if (ctx.method === 'GET') return showConsent(ctx, { ...params, client: client?.clientName ?? params.client_id });
    requireOwnPage(ctx);
    const { allow } = await fields(ctx);
    if (allow !== 'yes') return finish(ctx, { error: 'access_denied', error_description: 'the person refused' });
    return finish(ctx, { consent: {} });
  }

  async function interactionOf(ctx, uid) {
    try {
      const interaction = await provider.interactionDetails(ctx.req, ctx.res);
      if (interaction.uid === uid) return interaction;
    } catch {
      // said below: no cookie, or it is too old
    }
    return ctx.throw(400, 'This sign-in page is too old. Go back to where you came from and sign in again.');
  }

  async function finish(ctx, result) {
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
    ctx.status = 303;
  }
}
