// express-rate-limit with rate-limit-redis: instances of an application, each at a node of
// its own, count a visitor's requests together.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import { RedisStore } from 'rate-limit-redis'
import { createClient } from 'redis'
import { closing, sleep, urls, whileLeaderDies } from './cluster.js'

// An instance at a node; who sends a request, it says itself.
async function open(node, limits) {
  const client = closing(createClient({ url: urls[node] }), (client) => client.destroy())
  const errors = []
  client.on('error', (err) => errors.push(err))
  await client.connect()
  const store = new RedisStore({ sendCommand: (...args) => client.sendCommand(args) })
  const app = express()
  app.use(rateLimit({ store, standardHeaders: 'draft-8', legacyHeaders: false, keyGenerator: (req) => req.get('visitor'), ...limits }))
  app.get('/', (req, res) => res.send('welcome'))
  app.use((err, req, res, next) => res.status(500).send(err.message))
  const server = closing(app.listen(0, '127.0.0.1'), (server) => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise((done) => server.once('listening', done))
  const url = `http://127.0.0.1:${server.address().port}`
  const visit = async (visitor) => {
    const response = await fetch(url, { headers: { visitor } })
    const body = await response.text()
    if (response.status !== 200 && response.status !== 429) throw new Error(`${response.status}: ${body}`)
    return { allowed: response.ok, left: Number(/r=(\d+)/.exec(response.headers.get('ratelimit'))[1]) }
  }
  return { client, errors, store, visit }
}

test('all instances count together, and each visitor apart', async () => {
  const limits = { windowMs: 60_000, limit: 10 }
  const apps = await Promise.all(urls.map((_, node) => open(node, limits)))
  for (let i = 0; i < 12; i++) {
    assert.deepEqual(await apps[i % 3].visit('ada'), { allowed: i < 10, left: Math.max(9 - i, 0) })
  }
  assert.deepEqual(await apps[0].visit('grace'), { allowed: true, left: 9 })
  assert.ok(await apps[1].client.pTTL('rl:ada') > 50_000)
  assert.equal((await apps[2].store.get('ada')).totalHits, 12)
  await apps[1].store.decrement('grace')
  assert.deepEqual(await apps[2].visit('grace'), { allowed: true, left: 9 })
  await apps[2].store.resetKey('ada')
  assert.deepEqual(await apps[0].visit('ada'), { allowed: true, left: 9 })
  for (const { errors } of apps) assert.deepEqual(errors, [])
})

test('a window ends on every node', async () => {
  const limits = { windowMs: 500, limit: 1 }
  const apps = await Promise.all(urls.map((_, node) => open(node, limits)))
  assert.ok((await apps[0].visit('mary')).allowed)
  assert.ok(!(await apps[1].visit('mary')).allowed)
  await sleep(550)
  assert.ok((await apps[2].visit('mary')).allowed)
})

test('as many requests as the limit says are allowed, not one more or less, while the leader is killed', async () => {
  const limit = 150
  const limits = { windowMs: 600_000, limit }
  let requests = 0
  let allowed = 0
  const apps = []
  await whileLeaderDies(20, async (node) => {
    const app = await open(node, limits)
    apps.push(app)
    return async () => {
      const answers = await Promise.all(Array.from({ length: 4 }, () => app.visit('joan')))
      requests += answers.length
      allowed += answers.filter((answer) => answer.allowed).length
    }
  })
  assert.ok(requests > limit, `${requests} requests`)
  assert.equal(allowed, limit)
  assert.equal((await apps[0].store.get('joan')).totalHits, requests)
  for (const { errors } of apps) assert.deepEqual(errors, [])
})
