// A login that outlives any node of the cluster. README.md says how to try it.
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import { home, loginForm } from './pages.js'

const { PORT = 3000, REDIS_URL = 'redis://127.0.0.1:7001' } = process.env
const production = process.env.NODE_ENV === 'production'

// Cookies are signed with it, so all instances of the application need the same one.
// Without one, logins end with this process.
const secret = process.env.SESSION_SECRET ?? randomBytes(32).toString('hex')

// Your users are in a database, and their passwords are hashed.
const passwords = new Map([['ada', 'lovelace'], ['grace', 'hopper']])

const client = createClient({ url: REDIS_URL })
client.on('error', (err) => console.error('redis:', err.message)) // it connects again by itself
await client.connect()

const app = express()
if (production) app.set('trust proxy', 1) // HTTPS ends at a proxy in front
app.use(express.urlencoded())
app.use(session({
  store: new RedisStore({ client, prefix: 'login:' }),
  secret,
  name: 'login',
  resave: false, // what a visit did not change it need not write
  saveUninitialized: false, // nobody gets a cookie before the login
  rolling: true, // half an hour after the last visit, not after the login
  cookie: { maxAge: 30 * 60 * 1000, httpOnly: true, sameSite: 'lax', secure: production },
}))

// The session's methods, for await.
const call = (req, method) => promisify(req.session[method]).call(req.session)

app.get('/', (req, res) => {
  const { user } = req.session
  if (!user) return res.send(loginForm())
  req.session.visits++
  res.send(home(user, req.session.visits))
})

app.post('/login', async (req, res) => {
  const { user, password } = req.body ?? {}
  if (!passwords.has(user) || passwords.get(user) !== password) {
    return res.status(401).send(loginForm('That is not the name and password of a user.'))
  }
  await call(req, 'regenerate') // a new id: whoever knew the old one is not logged in
  Object.assign(req.session, { user, visits: 0 })
  await call(req, 'save') // before the browser is sent on
  res.redirect('/')
})

app.post('/logout', async (req, res) => {
  await call(req, 'destroy')
  res.clearCookie('login').redirect('/')
})

const server = app.listen(PORT, '127.0.0.1', (err) => {
  if (err) throw err
  console.log(`http://127.0.0.1:${server.address().port} keeps its logins at ${new URL(REDIS_URL).host}`)
})
