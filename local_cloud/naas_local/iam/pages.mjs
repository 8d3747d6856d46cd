// How our pages look: one style, no outside file, light and dark, nothing but text, lines and one primary button.
import crypto from 'node:crypto';

const TITLE = 'INDIGO IAM (embedded, for trying out)';
const STYLE = `
:root { color-scheme: light dark; --text: #212529; --soft: #495057; --page: #fff; --field: #fff; --line: #dee2e6; --edge: #868e96; --tint: #f8f9fa; --link: #0a58ca; --primary: #0b5ed7; --bad: #b02a37; --bad-tint: #f8d7da; --bad-line: #f1aeb5 }
@media (prefers-color-scheme: dark) { :root { --text: #dee2e6; --soft: #adb5bd; --page: #212529; --field: #2b3035; --line: #495057; --edge: #868e96; --tint: #2b3035; --link: #6ea8fe; --primary: #0b5ed7; --bad: #ea868f; --bad-tint: #2c0b0e; --bad-line: #842029 } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/22px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif; color: var(--text); background: var(--page) }
header { padding: 16px 24px; background: var(--tint); border-bottom: 1px solid var(--line); font-weight: 600 }
header span { font-weight: 400; color: var(--soft) }
main { max-width: 480px; margin: 0 auto; padding: 48px 24px }
main.wide { max-width: 824px }
h1 { margin: 0; font-size: 28px; line-height: 34px; font-weight: 600; letter-spacing: -.015em }
h2 { margin: 32px 0 8px; font-size: 16px; line-height: 24px; font-weight: 600 }
p { margin: 8px 0 0 } .soft { color: var(--soft) } b { font-weight: 600; overflow-wrap: anywhere }
form { margin: 24px 0 0 } td form { margin: 0; display: inline }
label { display: block; margin: 16px 0 4px; font-weight: 600 }
input, textarea { width: 100%; padding: 8px 12px; font: inherit; color: inherit; background: var(--field); border: 1px solid var(--edge); border-radius: 6px }
.code { font: 600 22px/32px ui-monospace, "Liberation Mono", monospace; letter-spacing: .08em }
button { min-height: 38px; padding: 0 16px; font: inherit; font-weight: 500; color: var(--text); background: var(--page); border: 1px solid var(--edge); border-radius: 6px; cursor: pointer }
button.primary { color: #fff; background: var(--primary); border-color: var(--primary) }
.actions { display: flex; gap: 12px; margin: 24px 0 0 }
a { color: var(--link) }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
[role=alert] { margin: 24px 0 0; padding: 12px 16px; color: var(--bad); background: var(--bad-tint); border: 1px solid var(--bad-line); border-radius: 6px }
table { width: 100%; border-collapse: collapse } th, td { padding: 8px 8px 8px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600 } thead th { color: var(--soft); font-size: 13px }
`;
const SEND_AT_ONCE = 'document.forms[0].requestSubmit(document.forms[0].querySelector("button.primary"))';
const POLICY = [
  "default-src 'none'",
  `style-src ${hash(STYLE)}`,
  `script-src ${hash(SEND_AT_ONCE)}`,
  'img-src data:',
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

function hash(text) {
  return `'sha256-${crypto.createHash('sha256').update(text).digest('base64')}'`;
}

// Text for HTML, also inside an attribute.
export function escape(text) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text ?? '').replace(/[&<>"']/g, (sign) => names[sign]);
}

// Answers with a page. `main` is HTML; `sendAtOnce` presses its form's primary button where scripts run.
export function show(ctx, main, { wide = false, sendAtOnce = false } = {}) {
  ctx.type = 'html';
  ctx.set({
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  });
  ctx.body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>INDIGO IAM <span>embedded, for trying out</span></header>
<main${wide ? ' class="wide"' : ''}>${main}</main>
${sendAtOnce ? `<script>${SEND_AT_ONCE}</script>` : ''}
</body>
</html>`;
}

export function showError(ctx, message) {
  show(ctx, `<h1>That did not work</h1><p role="alert">${escape(message)}</p>`);
}

export function showLogin(ctx, { client, people, username = '', wrong = false }) {
  const rows = people.map(
    ({ username: name, groups }) =>
      `<tr><th scope="row">${escape(name)}</th><td>${escape(groups.join(', ') || 'no group')}</td></tr>`,
  );
  const hint = `<h2>Demo users</h2><p class="soft">The password of each is the name.</p>
<table><thead><tr><th scope="col">Username</th><th scope="col">Groups</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
  const error = wrong
    ? '<p role="alert" id="error">Username and password do not match. Check both and try again.</p>'
    : '';
  const invalid = wrong ? ' aria-invalid="true" aria-describedby="error"' : '';
  show(
    ctx,
    `<h1>Sign in</h1><p class="soft">to continue to <b>${escape(client)}</b></p>${error}
<form method="post">
<label for="username">Username</label>
<input id="username" name="username" value="${escape(username)}" autocomplete="username" autocapitalize="none" spellcheck="false" required${invalid}${wrong ? '' : ' autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${invalid}${wrong ? ' autofocus' : ''}>
<div class="actions"><button class="primary">Sign in</button><button name="cancel" value="yes" formnovalidate>Cancel</button></div>
</form>${people.length ? hint : ''}`,
  );
}

// `client` is a name that the client gave itself, so the address that gets the answer is shown, too.
export function showConsent(ctx, { client, redirect_uri: address, scope, audience }) {
  const tokens = audience ? `, with tokens for <b>${escape(audience)}</b>` : '';
  show(
    ctx,
    `<h1>Allow this application?</h1><p><b>${escape(client)}</b> at <b>${escape(address)}</b> asks to act for you${tokens}.</p>
<p>It wants: <b>${escape(scope)}</b></p>
<p class="soft">It registered itself; nobody here has checked it. If you did not start this, refuse.</p>
<form method="post"><div class="actions"><button class="primary" name="allow" value="yes">Allow</button><button name="allow" value="no">Refuse</button></div></form>`,
  );
}

// `form` is oidc-provider's, with its hidden fields; ours adds what people see.
function withVisible(form, visible) {
  return form.replace(/<\/form>\s*$/, `${visible}</form>`);
}

export function showLogout(ctx, form, client) {
  const button = '<div class="actions"><button class="primary" name="logout" value="yes">Sign out</button></div>';
  const from = client
    ? ` <p class="soft">and go back to <b>${escape(client)}</b></p>`
    : '<p class="soft">You will be asked for your password the next time.</p>';
  show(ctx, `<h1>Sign out of INDIGO IAM</h1>${from}${withVisible(form, button)}`, { sendAtOnce: Boolean(client) });
}

export function showSignedOut(ctx) {
  show(ctx, '<h1>You are signed out</h1><p class="soft">You can close this page.</p>');
}

export function showDeviceCode(ctx, form, problem) {
  const hidden = form.replace(/<input\s+(?:value="[^"]*" )?type="text"[\s\S]*?<\/input>/, '');
  const typed = /<input\s+value="([^"]*)" type="text"/.exec(form)?.[1] ?? ''; // escaped by oidc-provider
  const error = problem ? `<p role="alert" id="error">${escape(problem)}</p>` : '';
  show(
    ctx,
    `<h1>Connect a device</h1><p class="soft">Type the code that your command line or device shows.</p>${error}${withVisible(
      hidden,
      `
<label for="user_code">Code</label>
<input class="code" id="user_code" name="user_code" value="${typed}" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus${problem ? ' aria-invalid="true" aria-describedby="error"' : ''}>
<div class="actions"><button class="primary">Continue</button></div>`,
    )}`,
  );
}

export function showDeviceConfirm(ctx, form, client, code) {
  show(
    ctx,
    `<h1>Is this your device?</h1><p><b>${escape(client)}</b> asks to act for you. It must show this code:</p><p class="code">${escape(code)}</p>
<p class="soft">If you did not start this, or the code differs, refuse.</p>${withVisible(
      form,
      `
<div class="actions"><button class="primary">Allow</button><button name="abort" value="yes">Refuse</button></div>`,
    )}`,
  );
}

export function showDeviceDone(ctx, client) {
  show(
    ctx,
    `<h1>Device connected</h1><p class="soft"><b>${escape(client)}</b> goes on by itself. You can close this page.</p>`,
  );
}

export function showJoin(ctx, { person, group }) {
  show(
    ctx,
    `<h1>Ask to join ${escape(group)}</h1><p class="soft">You are <b>${escape(person.username)}</b>. The managers of the group see your request and decide.</p>
<form method="post" action="/iam/group_requests">
<input type="hidden" name="groupName" value="${escape(group)}">
<label for="notes">Why you need it (optional)</label>
<textarea id="notes" name="notes" rows="4" maxlength="1000"></textarea>
<div class="actions"><button class="primary">Send request</button></div>
</form>`,
  );
}

export function showRequests(ctx, { person, requests, mayDecide }) {
  const words = { PENDING: 'waiting for a decision', APPROVED: 'approved', REJECTED: 'rejected' };
  const decide = ({ uuid, status, username, groupName }) =>
    mayDecide && status === 'PENDING'
      ? ['approve', 'reject']
          .map(
            (verb) =>
              `<form method="post" action="/iam/group_requests/${uuid}/${verb}"><button aria-label="${verb} ${escape(username)} for ${escape(groupName)}">${verb === 'approve' ? 'Approve' : 'Reject'}</button></form>`,
          )
          .join(' ')
      : escape(words[status]);
  const rows = requests.map(
    (request) =>
      `<tr><th scope="row">${escape(request.username)}</th><td>${escape(request.groupName)}</td><td>${escape(request.notes)}</td><td>${decide(request)}</td></tr>`,
  );
  const table = `<table><thead><tr><th scope="col">Who</th><th scope="col">Group</th><th scope="col">Why</th><th scope="col">State</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
  show(
    ctx,
    `<h1>Requests to join a group</h1><p class="soft">You are <b>${escape(person.username)}</b>, member of ${escape(person.groups.join(', ') || 'no group')}.</p>
${requests.length ? `<h2>${mayDecide ? 'All requests' : 'Your requests'}</h2>${table}` : '<p>There is no request yet.</p>'}`,
    { wide: true },
  );
}
