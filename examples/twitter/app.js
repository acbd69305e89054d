// A small Twitter clone: what the browser asks for, and who may. README.md says how to
// try it; users.js and posts.js keep everything in the cluster.
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import * as pages from './pages.js'
import { Posts, longest } from './posts.js'
import { Users } from './users.js'

const { PORT = 3000, REDIS_URL = 'redis://127.0.0.1:7001' } = process.env
const production = process.env.NODE_ENV === 'production'

const client = createClient({ url: REDIS_URL })
client.on('error', (err) => console.error('redis:', err.message)) // it connects again by itself
await client.connect()
const users = new Users(client)
const posts = new Posts(client)

const app = express()
if (production) app.set('trust proxy', 1) // HTTPS ends at a proxy in front
app.use((req, res, next) => {
  res.set('Content-Security-Policy', "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'")
  next()
})
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))))
app.use(express.urlencoded())
app.use(session({
  store: new RedisStore({ client, prefix: 'session:' }),
  secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
  name: 'twitter',
  resave: false,
  saveUninitialized: false, // nobody gets a cookie before they sign in
  rolling: true,
  cookie: { maxAge: 7 * 24 * 60 * 60 * 1000, httpOnly: true, sameSite: 'lax', secure: production },
}))

// Signing in gives a new session id: whoever knew the old one is not signed in.
async function signIn(req, name) {
  await promisify(req.session.regenerate).call(req.session)
  req.session.user = name
  await promisify(req.session.save).call(req.session) // before the browser is sent on
}

// What a form holds; a field that is there twice, or not at all, is text all the same.
const field = (req, name) => String(req.body?.[name] ?? '')

const signedIn = (req, res, next) => (req.session.user ? next() : res.redirect('/'))

async function welcome(res, status, problems) {
  res.status(status).send(pages.welcome({ ...problems, posts: await posts.latest(), users: await users.latest() }))
}

app.get('/', async (req, res) => {
  const me = req.session.user
  if (!me) return welcome(res, 200)
  const [home, latest, profile] = await Promise.all([posts.home(me), users.latest(), users.profile(me)])
  res.send(pages.home({ me, posts: home, users: latest, profile }))
})

app.post('/signup', async (req, res) => {
  const [name, password] = [field(req, 'name'), field(req, 'password')]
  const problem = await users.signUp(name, password)
  if (problem) return welcome(res, 400, { signUp: problem })
  await signIn(req, name)
  res.redirect('/')
})

app.post('/signin', async (req, res) => {
  const name = field(req, 'name')
  if (!await users.knows(name, field(req, 'password'))) return welcome(res, 401, { signIn: 'That is not the name and password of a user.' })
  await signIn(req, name)
  res.redirect('/')
})

app.post('/signout', async (req, res) => {
  await promisify(req.session.destroy).call(req.session)
  res.clearCookie('twitter').redirect('/')
})

app.get('/latest', async (req, res) => {
  const [all, latest] = await Promise.all([posts.latest(), users.latest()])
  res.send(pages.latest({ me: req.session.user, posts: all, users: latest }))
})

app.post('/posts', signedIn, async (req, res) => {
  const text = field(req, 'text').trim()
  if (text === '' || [...text].length > longest) {
    return res.status(400).send(pages.failed(req.session.user, `A post has 1 to ${longest} characters.`))
  }
  await posts.write(req.session.user, text)
  res.redirect('/')
})

app.get('/users/:name', async (req, res, next) => {
  const me = req.session.user
  const { name } = req.params
  const profile = await users.profile(name)
  if (!profile) return next()
  const [theirs, follows] = await Promise.all([posts.of(name), me && users.follows(me, name)])
  res.send(pages.profile({ me, name, profile, follows, posts: theirs }))
})

for (const action of ['follow', 'unfollow']) {
  app.post(`/users/:name/${action}`, signedIn, async (req, res, next) => {
    const { name } = req.params
    if (!await users.profile(name)) return next()
    await users[action](req.session.user, name)
    res.redirect(`/users/${name}`)
  })
}

app.use((req, res) => res.status(404).send(pages.failed(req.session.user, 'There is nothing here.')))
app.use((err, req, res, next) => {
  console.error(err)
  res.status(500).send(pages.failed(undefined, 'That did not work. Please try again.'))
})

const server = app.listen(PORT, '127.0.0.1', (err) => {
  if (err) throw err
  console.log(`http://127.0.0.1:${server.address().port} keeps everything at ${new URL(REDIS_URL).host}`)
})
