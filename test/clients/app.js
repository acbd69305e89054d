// A web application with logins, and a browser that visits it.
import express from 'express'
import session from 'express-session'
import { closing } from './cluster.js'

// Serves the application until the end of the test and returns its URL.
export async function serve(store, options) {
  const app = express()
  app.use(session({ store, secret: 'of the tests', resave: false, saveUninitialized: false, ...options }))
  app.post('/login/:user', (req, res, next) => {
    req.session.regenerate((err) => {
      if (err) return next(err)
      Object.assign(req.session, { user: req.params.user, visits: 0 })
      res.json({ id: req.sessionID })
    })
  })
  app.get('/', (req, res) => {
    const { user, visits } = req.session
    if (user) req.session.visits++
    res.json({ user, visits, id: req.sessionID })
  })
  app.get('/look', (req, res) => res.json({ user: req.session.user }))
  app.post('/logout', (req, res, next) => req.session.destroy((err) => (err ? next(err) : res.json({}))))
  app.use((err, req, res, next) => res.status(500).json({ error: err.message }))
  const server = closing(app.listen(0, '127.0.0.1'), (server) => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise((done) => server.once('listening', done))
  return `http://127.0.0.1:${server.address().port}`
}

// A browser keeps the session's cookie, whichever instance of the application set it.
export class Browser {
  cookie = ''
  received = '' // the cookie as the last response set it, if it did

  async visit(url, method = 'GET') {
    const response = await fetch(url, { method, headers: { cookie: this.cookie } })
    this.received = response.headers.get('set-cookie') ?? ''
    if (this.received) this.cookie = this.received.split(';')[0]
    const body = await response.json()
    if (!response.ok) throw new Error(`${url}: ${response.status} ${body.error}`)
    return body
  }

  login = (app, user) => this.visit(`${app}/login/${user}`, 'POST')
  logout = (app) => this.visit(`${app}/logout`, 'POST')
}
