// A certified OpenID provider of mailboxes: an access token stands for the password of one.
// Refresh tokens rotate, and one that comes twice ends its authorization. The grants that
// oidc-provider does not have by itself, of passwords and of signed assertions, are written
// after RFC 6749, 4.3 and RFC 7523, 2.1. Prints the address once it listens.

import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { createRemoteJWKSet, decodeJwt, importSPKI, jwtVerify } from "jose";
import Provider, { errors } from "oidc-provider";

const { clients, mailboxes, seconds, publicKey } = JSON.parse(process.env.MAIL_PROVIDER);
const SCOPES = "openid profile email offline_access smtp";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const server = createServer();
server.listen(Number(process.env.PROVIDER_PORT ?? 0), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    scopes: SCOPES.split(" "),
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    cookies: { keys: ["of tests alone"] },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
    },
    clientAuthSigningAlgValues: ["RS256", "PS256", "ES256"],
    enabledJWA: { clientAuthSigningAlgValues: ["RS256", "PS256", "ES256"] },
    ttl: {
      AccessToken: seconds,
      ClientCredentials: seconds,
      RefreshToken: 86400,
      Grant: 86400,
      Session: 86400,
      Interaction: 600,
      IdToken: 600,
    },
    rotateRefreshToken: true,
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed("refresh_token"),
    // Whoever asks for the mail server learns whose mailbox the token opens.
    extraTokenClaims: (ctx, token) => ({
      mailbox: token.accountId ?? mailboxes[token.clientId],
    }),
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: true }),
    }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope(SCOPES);
      await grant.save();
      return grant;
    },
  });

  // As at Google, an assertion says by itself whose it is: no client is named beside it.
  provider.use(async (ctx, next) => {
    if (ctx.method === "POST" && ctx.path === "/token") {
      const form = new URLSearchParams(await text(ctx.req));
      const isShown = form.has("client_id") || ctx.get("Authorization");
      if (form.has("assertion") && !isShown) {
        form.set("client_id", decodeJwt(form.get("assertion")).iss);
      }
      ctx.req.body = Object.fromEntries(form);
    }
    await next();
  });

  const give = async (ctx, accountId, asserted) => {
    const { client } = ctx.oidc;
    const scope = (ctx.oidc.params.scope ?? asserted ?? "smtp").split(" ");
    const allowed = client.scope?.split(" ") ?? SCOPES.split(" ");
    if (!scope.every((one) => allowed.includes(one))) {
      throw new errors.InvalidScope("requested scope is not allowed", scope.join(" "));
    }
    const grant = new provider.Grant({ clientId: client.clientId, accountId });
    grant.addOIDCScope(SCOPES);
    const token = new provider.AccessToken({
      accountId,
      client,
      grantId: await grant.save(),
      gty: ctx.oidc.params.grant_type,
      scope: scope.join(" "),
    });
    ctx.body = {
      access_token: await token.save(),
      expires_in: token.expiration,
      token_type: token.tokenType,
      scope: token.scope,
    };
  };

  const byPassword = async (ctx, next) => {
    const { username, password } = ctx.oidc.params;
    if (password !== "the owner's password") {
      throw new errors.InvalidGrant("invalid username or password");
    }
    await give(ctx, username);
    await next();
  };
  provider.registerGrantType("password", byPassword, ["username", "password", "scope"]);

  const byAssertion = async (ctx, next) => {
    const key = await importSPKI(publicKey, "RS256");
    let claims;
    try {
      const audience = `${issuer}/token`;
      const checked = await jwtVerify(ctx.oidc.params.assertion, key, { audience });
      claims = checked.payload;
    } catch (error) {
      throw new errors.InvalidGrant(`invalid assertion: ${error.code}`);
    }
    if (!mailboxes[claims.iss]) throw new errors.InvalidGrant("unknown issuer");
    await give(ctx, claims.sub, claims.scope);
    await next();
  };
  provider.registerGrantType(JWT_BEARER, byAssertion, ["assertion", "scope"]);

  provider.on("grant.error", (ctx, error) => console.error(error.message));
  const answer = provider.callback();
  server.on("request", answer);
  console.log(issuer);
});
