// Fills the stores that people come from, as applications fill them: by logins over HTTP
// to an Express application whose store it is. import_test.go imports what they leave.
//
//     node stores.js DIR
//
// writes DIR/files, the folder of session-file-store, and dumps of two collections of
// connect-mongo (one with stringify: false), each as mongodump and as mongoexport write
// it. Prints the logins, a line of JSON each. SESSION_SECRET signs the cookies.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { MongoStore, createWebCryptoAdapter } from 'connect-mongo'
import express from 'express'
import session from 'express-session'
import { BSON } from 'mongodb'
import { Collection } from './collection.js'

const FileStore = createRequire(import.meta.url)('session-file-store')(session)
const [dir] = process.argv.slice(2)
const minutes = 60 * 1000

// Logs a user in with the application whose store this is, and looks once at its page.
async function login(source, store, user, cookie) {
  const app = express()
  app.use(session({
    store, secret: process.env.SESSION_SECRET, name: 'login', resave: false, saveUninitialized: false, cookie: { sameSite: 'lax', ...cookie },
  }))
  app.post('/login', async (req, res) => {
    Object.assign(req.session, { user, visits: 40, since: new Date(0), cart: [{ 'a "b" ä': 1.5 }, null, '<日本>'] })
    await promisify(req.session.save).call(req.session)
    res.json(req.sessionID)
  })
  app.get('/', (req, res) => res.json((req.session.visits += req.session.user === user)))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}`
  const response = await fetch(`${url}/login`, { method: 'POST' })
  const headers = { cookie: response.headers.get('set-cookie').split(';')[0] }
  const id = await response.json()
  if (await (await fetch(url, { headers })).json() !== 41) throw new Error(`${source}: ${user} is not logged in`)
  server.close()
  server.closeAllConnections()
  return { source, user, id, cookie: decodeURIComponent(headers.cookie.slice('login='.length)) }
}

// Logins of each kind: with and without an end in the cookie, encrypted, one that ends
// before it is imported.
async function fill(source, open, encrypted) {
  const store = open({})
  return [
    await login(source, store, 'ada', { maxAge: 20 * minutes }),
    await login(source, store, 'grace', {}),
    { ...(await login(source, open(encrypted), 'mary', { maxAge: 20 * minutes })), encrypted: true },
    { ...(await login(source, store, 'joan', { maxAge: 2000 })), ends: true },
  ]
}

const path = join(dir, 'files')
const files = (options) => new FileStore({ path, ttl: 30 * 60, reapInterval: -1, retries: 0, logFn() {}, ...options })
const logins = await fill('files', files, { secret: 'of the files' })

for (const [name, options, encrypted] of [
  ['strings', {}, { crypto: { secret: 'of the collection' } }],
  ['documents', { stringify: false, touchAfter: 60 }, { cryptoAdapter: createWebCryptoAdapter({ secret: 'of the collection' }) }],
]) {
  const collection = new Collection()
  const client = { db: () => ({ collection: () => collection }) }
  const store = (more) => MongoStore.create({ client, ttl: 30 * 60, ...options, ...more })
  logins.push(...await fill(name, store, encrypted))

  const documents = [...collection.documents.values()]
  const bson = Buffer.concat(documents.map((document) => BSON.serialize(document)))
  const lines = documents.map((document) => BSON.EJSON.stringify(document, { relaxed: true }))
  writeFileSync(join(dir, `${name}.bson`), bson)
  writeFileSync(join(dir, `${name}.bson.gz`), gzipSync(bson))
  writeFileSync(join(dir, `${name}.json`), lines.join('\n') + '\n')
  writeFileSync(join(dir, `${name}.array.json`), `[${lines.join(',\n')}]\n`)
}

for (const login of logins) console.log(JSON.stringify(login))
