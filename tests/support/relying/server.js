// A client application as its makers write one: it logs in through the site, shows what
// it was told, and asks again each time whether that still holds.
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as openid from 'openid-client';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const own = `http://127.0.0.1:${PORT}`;
const config = await openid.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  CLIENT_SECRET ? openid.ClientSecretBasic(CLIENT_SECRET) : openid.None(),
  { execute: [openid.allowInsecureRequests] },
);
// One browser uses it at a time.
let asked = {};
let tokens = null;

async function begin(url) {
  asked = {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(),
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
  };
  const words = Object.fromEntries(url.searchParams);
  if (words.max_age) asked.maxAge = Number(words.max_age);
  return openid.buildAuthorizationUrl(config, {
    redirect_uri: `${own}/callback`,
    scope: 'openid profile email',
    code_challenge: await openid.calculatePKCECodeChallenge(asked.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: asked.expectedState,
    nonce: asked.expectedNonce,
    ...words,
  });
}

async function shown() {
  if (!tokens) return [401, { error: 'nobody is logged in' }];
  const claims = tokens.claims();
  const userinfo = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  return [200, { claims, userinfo }];
}

async function refreshed() {
  tokens = await openid.refreshTokenGrant(config, tokens.refresh_token);
  return shown();
}

function endAddress() {
  const after = { post_logout_redirect_uri: `${own}/bye`, id_token_hint: tokens.id_token };
  tokens = null;
  return openid.buildEndSessionUrl(config, after);
}

const pages = {
  '/': shown,
  '/login': async (url) => [302, await begin(url)],
  '/callback': async (url) => {
    tokens = await openid.authorizationCodeGrant(config, url, asked);
    return [302, new URL(own)];
  },
  '/refresh': refreshed,
  '/logout': async () => [302, endAddress()],
  '/bye': async () => [200, { bye: true }],
};

async function answer(url) {
  const page = pages[url.pathname];
  if (!page) return [404, {}];
  try {
    return await page(url);
  } catch (error) {
    return [403, { code: error.code, error: error.error, status: error.status }];
  }
}

const server = createServer(async (request, response) => {
  const [status, said] = await answer(new URL(request.url, own));
  if (status === 302) response.writeHead(302, { Location: said.href }).end();
  else
    response
      .writeHead(status, { 'Content-Type': 'application/json' })
      .end(JSON.stringify(said));
});
server.listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
console.log(own);
