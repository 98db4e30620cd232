// passport-openidconnect as its README has it, and `nonce: true`.
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OpenIDConnectStrategy from 'passport-openidconnect';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
passport.use(
  new OpenIDConnectStrategy(
    {
      issuer: ISSUER,
      authorizationURL: `${ISSUER}/openid/authorize`,
      tokenURL: `${ISSUER}/openid/token`,
      userInfoURL: `${ISSUER}/openid/userinfo`,
      clientID: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      callbackURL: `http://127.0.0.1:${PORT}/callback`,
      scope: 'profile email',
      nonce: true,
    },
    (issuer, profile, done) => done(null, { name: profile.username }),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: 'a key for a test', resave: false, saveUninitialized: false }));
app.use(passport.session());
app.get('/', (request, response) => response.json({ name: request.user?.name ?? '' }));
app.get('/login', passport.authenticate('openidconnect'));
app.get(
  '/callback',
  passport.authenticate('openidconnect', { failureMessage: true }),
  (request, response) => response.redirect('/'),
);
app.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
