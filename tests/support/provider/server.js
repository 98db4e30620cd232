// A certified OpenID provider with a few users; PKCE is required. Each user logs in
// with his name and any password. Prints the address once it listens.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const SECRET = "the provider's secret for this client";
const BASIC = "client_secret_basic";
const CALLBACK = "/login/oauth2/callback/";
const users = JSON.parse(process.env.PROVIDER_USERS);
const client = (client_id, method, more = {}) => ({
  client_id,
  redirect_uris: [`http://127.0.0.1:8000${CALLBACK}`],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: method,
  ...(method === "none" ? {} : { client_secret: SECRET }),
  // Where it says who has logged out.
  ...(process.env.PROVIDER_TELLS && {
    backchannel_logout_uri: process.env.PROVIDER_TELLS,
    backchannel_logout_session_required: true,
  }),
  ...more,
});

const server = createServer();
server.listen(Number(process.env.PROVIDER_PORT ?? 0), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client("pbx", BASIC),
      client("pbx-post", "client_secret_post"),
      client("pbx-public", "none"),
      client("pbx-hs512", BASIC, { id_token_signed_response_alg: "HS512" }),
      client("pbx-encrypted", BASIC, {
        id_token_encrypted_response_alg: "dir",
        id_token_encrypted_response_enc: "A128CBC-HS256",
      }),
      client("pbx-signed", BASIC, { userinfo_signed_response_alg: "RS256" }),
    ],
    features: {
      backchannelLogout: { enabled: true },
      encryption: { enabled: true },
      jwtUserinfo: { enabled: true },
      revocation: { enabled: true },
    },
    rotateRefreshToken: true,
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "HS512"] },
    pkce: { required: () => true },
    scopes: ["openid", "profile", "email", "offline_access"],
    claims: {
      openid: ["sub"],
      profile: ["name", "upn"],
      email: ["email", "email_verified"],
    },
    findAccount: (ctx, id) =>
      users[id] && { accountId: id, claims: () => ({ sub: id, ...users[id] }) },
    cookies: { keys: ["of tests alone"] },
    // Nobody is asked for a consent.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope("openid profile email offline_access");
      await grant.save();
      return grant;
    },
    ...JSON.parse(process.env.PROVIDER_CHANGES ?? "{}"),
  });
  // Each site of the tests has a port of its own.
  provider.Client.prototype.redirectUriAllowed = (uri) => uri.endsWith(CALLBACK);
  server.on("request", provider.callback());
  console.log(issuer);
});
