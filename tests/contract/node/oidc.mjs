// A certified OAuth server in the place of Zoom, Google and VK ID: npm's oidc-provider with PKCE
// required, short access tokens, and refresh tokens that rotate (Google's excepted); one that is
// used twice ends its family. What the platforms have beside OAuth is here too: their addresses,
// VK's device_id, and the calls by which a client learns whose token it has.
//
//     node oidc.mjs SECONDS REDIRECT_BASE      prints "ready PORT"
//
// POST /control {account, deny, without, tokens, probe} says who logs in next, what that person allows
// and VK's error for its videos;
// GET /ledger is all that the token endpoint did.
import { createServer } from 'node:http';

import * as jose from 'jose';
import Provider from 'oidc-provider';

const [seconds, base] = [Number(process.argv[2]), process.argv[3]];
const GOOGLE = ['upload', 'force-ssl'].map((n) => `https://www.googleapis.com/auth/youtube.${n}`);
const ZOOM = ['cloud_recording:read:list_user_recordings',
  'cloud_recording:read:list_recording_files', 'user:read:user'];
const VK = ['video', 'groups', 'wall'];
const BITS = { video: 16, wall: 8192, offline: 65536, groups: 262144 };
const person = { account: 'ada', deny: false, without: [], tokens: {}, probe: 0 };
const ledger = [];

function client(id, login, method) {
  return {
    client_id: id,
    ...(method === 'none' ? {} : { client_secret: `secret-of-${id}` }),
    redirect_uris: [`${base}/oauth/${login}/callback`],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: method,
  };
}

async function settings() {
  const { privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  return {
    clients: [
      { ...client('google', 'youtube', 'client_secret_post'), id_token_signed_response_alg: 'ES256' },
      { ...client('zoom', 'zoom', 'client_secret_basic'), id_token_signed_response_alg: 'ES256' },
      { ...client('vk', 'vk-id', 'none'), id_token_signed_response_alg: 'ES256' },
      {
        ...client('desktop', 'youtube', 'client_secret_post'),
        id_token_signed_response_alg: 'ES256',
        application_type: 'native', // its way back is on any port of loopback (RFC 8252, 7.3)
        redirect_uris: ['http://127.0.0.1/oauth/youtube/callback'],
      },
    ],
    jwks: { keys: [{ ...(await jose.exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['for tests'] },
    scopes: ['openid', ...GOOGLE, ...ZOOM, ...VK],
    pkce: { required: () => true },
    routes: { authorization: '/auth', token: '/token', revocation: '/revoke' },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    ttl: {
      AccessToken: seconds, AuthorizationCode: 60, RefreshToken: 86400, Grant: 86400,
      Session: 86400, Interaction: 600, IdToken: 60,
    },
    issueRefreshToken: async () => true,
    rotateRefreshToken: (ctx) => ctx.oidc.client.clientId !== 'google',
    revokeGrantPolicy: () => true,
    expiresWithSession: async () => false,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  };
}

async function read(req) {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function answer(res, status, document) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(document));
}

async function interact(provider, req, res) {
  const { prompt, params, grantId, session } = await provider.interactionDetails(req, res);
  let result;
  if (person.deny) {
    result = { error: 'access_denied', error_description: 'The person said no.' };
  } else if (prompt.name === 'login') {
    result = { login: { accountId: person.account } };
  } else {
    const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const grant = known ?? new provider.Grant({
      accountId: session.accountId, clientId: params.client_id,
    });
    const asked = (params.scope ?? '').split(' ').filter(Boolean);
    const kept = asked.filter((scope) => !person.without.includes(scope));
    const refused = asked.filter((scope) => person.without.includes(scope));
    if (kept.length) grant.addOIDCScope(kept.join(' '));
    if (refused.length) grant.rejectOIDCScope(refused.join(' '));
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
}

async function holder(provider, token) {
  const fixed = person.tokens[token];
  if (fixed !== undefined) return fixed;
  const found = await provider.AccessToken.find(token);
  if (!found || found.isExpired) return undefined;
  const scopes = (found.scope ?? '').split(' ');
  return { account: found.accountId, scopes };
}

async function google(provider, req, res, url) {
  const token = (req.headers.authorization ?? '').replace(/^Bearer /, '');
  const who = await holder(provider, token);
  if (!who) return answer(res, 401, { error: { errors: [{ reason: 'authError' }] } });
  if (url.searchParams.get('mine') !== 'true' || !url.searchParams.get('part')) {
    return answer(res, 400, { error: { errors: [{ reason: 'missingRequiredParameter' }] } });
  }
  const channel = { id: `UC-${who.account}`, snippet: { title: `Channel of ${who.account}` } };
  return answer(res, 200, { items: who.account === 'nobody' ? [] : [channel] });
}

async function zoom(provider, req, res) {
  const who = await holder(provider, (req.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!who) return answer(res, 401, { code: 124, message: 'Invalid access token.' });
  return answer(res, 200, { id: `id-${who.account}`, email: `${who.account}@example.org` });
}

async function vk(provider, req, res, url) {
  const form = new URLSearchParams(await read(req));
  const who = form.get('v') ? await holder(provider, form.get('access_token')) : undefined;
  const no = { error: { error_code: 5, error_msg: 'User authorization failed' } };
  if (!who) return answer(res, 200, no);
  if (url.pathname === '/method/users.get') {
    return answer(res, 200, { response: [{ id: who.number ?? 1001, first_name: who.account }] });
  }
  if (url.pathname === '/method/video.get') {
    const code = { error: { error_code: person.probe, error_msg: 'Access denied' } };
    return answer(res, 200, person.probe ? code : { response: { count: 0, items: [] } });
  }
  const mask = who.scopes.reduce((sum, name) => sum + (BITS[name] ?? 0), 0);
  return answer(res, 200, { response: mask });
}

// What only VK ID has: a device for each grant, the state given back, and errors with 200.
async function vkForm(req, res, revoked) {
  const form = new URLSearchParams(await read(req));
  if (revoked) form.set('token', form.get('access_token') ?? '');
  else if (form.get('device_id') !== 'device-1' || (form.get('state') ?? '').length < 32) {
    answer(res, 200, { error: 'invalid_request', error_description: 'device_id or state' });
    return false;
  }
  req.body = Object.fromEntries(form);
  return true;
}

// Google ends a grant for whoever has its token, without the app's secret.
async function googleForm(req) {
  const form = Object.fromEntries(new URLSearchParams(await read(req)));
  req.body = { ...form, client_id: 'google', client_secret: 'secret-of-google' };
}

async function handle(provider, req, res) {
  const url = new URL(req.url, provider.issuer);
  const path = url.pathname;
  if (path === '/control') {
    Object.assign(person, JSON.parse(await read(req)));
    return answer(res, 200, person);
  }
  if (path === '/ledger') return answer(res, 200, ledger);
  if (path.startsWith('/interaction/')) return interact(provider, req, res);
  if (path === '/youtube/v3/channels') return google(provider, req, res, url);
  if (path === '/v2/users/me') return zoom(provider, req, res);
  if (path.startsWith('/method/')) return vk(provider, req, res, url);
  if (path === '/oauth/authorize') url.searchParams.set('scope', ZOOM.join(' '));
  if (path === '/oauth2/auth' && !(await vkForm(req, res, false))) return undefined;
  if (path === '/oauth2/revoke' && !(await vkForm(req, res, true))) return undefined;
  if (path === '/google/revoke') await googleForm(req);
  const aliases = {
    '/o/oauth2/v2/auth': '/auth', '/oauth/authorize': '/auth', '/authorize': '/auth',
    '/google/token': '/token', '/oauth/token': '/token', '/oauth2/auth': '/token',
    '/google/revoke': '/revoke', '/oauth/revoke': '/revoke', '/oauth2/revoke': '/revoke',
  };
  req.url = (aliases[path] ?? path) + url.search;
  return provider.callback()(req, res);
}

const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, await settings());
  const note = (what) => (ctx, more) => ledger.push({
    what,
    client: ctx.oidc.client?.clientId,
    grant: ctx.oidc.params?.grant_type,
    error: more instanceof Error ? more.error_description ?? more.message : undefined,
    detail: more instanceof Error ? more.error_detail : undefined,
  });
  for (const name of ['grant.success', 'grant.error', 'grant.revoked', 'authorization.error']) {
    provider.on(name, note(name));
  }
  server.on('request', (req, res) => handle(provider, req, res).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    if (!res.headersSent) answer(res, 500, { error: String(error) });
  }));
  process.stdout.write(`ready ${port}\n`);
});
