// A login as applications of the years of callbacks have it, unchanged but for the URL.
// README.md says how to try it.
const crypto = require('crypto')
const express = require('express')
const redis = require('redis')
const session = require('express-session')
const RedisStore = require('connect-redis')(session)

const port = process.env.PORT || 3000
const users = { ada: 'lovelace', grace: 'hopper' }

const client = redis.createClient({
  legacyMode: true, // callbacks, as in redis 3
  url: process.env.REDIS_URL || 'redis://default:secret@127.0.0.1:7001',
})
client.on('error', function (err) {
  console.error('redis:', err.message) // it connects again by itself
})

const app = express()
if (process.env.NODE_ENV === 'production') app.set('trust proxy', 1)
app.use(express.urlencoded({ extended: false }))
app.use(session({
  store: new RedisStore({ client: client, ttl: 60, retries: 0 }), // seconds since the last visit
  secret: process.env.SESSION_SECRET || crypto.randomBytes(32).toString('hex'),
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: process.env.NODE_ENV === 'production' },
}))

app.get('/', function (req, res) {
  if (!req.session.user) {
    return res.send('<form method="post" action="/login">' +
      '<input name="user" placeholder="ada"> <input name="password" type="password" placeholder="lovelace"> ' +
      '<button>Log in</button></form>')
  }
  req.session.visits++
  res.send('<h1>Hello ' + req.session.user + '</h1>' +
    '<p>Visits since you logged in: <b>' + req.session.visits + '</b></p>' +
    '<form method="post" action="/logout"><button>Log out</button></form>')
})

app.post('/login', function (req, res, next) {
  const user = req.body.user
  if (!Object.hasOwn(users, user) || users[user] !== req.body.password) {
    return res.status(401).send('That is not the name and password of a user.')
  }
  req.session.regenerate(function (err) {
    if (err) return next(err)
    req.session.user = user
    req.session.visits = 0
    req.session.save(function (err) {
      if (err) return next(err)
      res.redirect('/')
    })
  })
})

app.post('/logout', function (req, res, next) {
  req.session.destroy(function (err) {
    if (err) return next(err)
    res.clearCookie('connect.sid').redirect('/')
  })
})

client.connect().then(function () {
  const server = app.listen(port, '127.0.0.1', function () {
    console.log('http://127.0.0.1:' + server.address().port)
  })
}, function (err) {
  console.error('redis:', err.message)
  process.exit(1)
})
