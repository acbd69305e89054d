// A cluster with --requirepass: user and password stand in the URL.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RedisStore } from 'connect-redis'
import Redis from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { Browser, serve } from './app.js'
import { closing, nodes } from './cluster.js'

// A client whose first error is final.
function oneTry(options) {
  const client = createClient({ ...options, socket: { reconnectStrategy: false } }).on('error', () => {})
  return closing(client, (client) => client.isOpen && client.destroy())
}

const url = (node, user, password) => `redis://${user}:${password}@${node}`

test('createClient() with user and password in the URL, and a login', async () => {
  const apps = []
  for (const node of nodes) {
    for (const RESP of [2, 3]) {
      const client = await closing(createClient({ url: url(node, 'default', 'secret'), RESP }), (client) => client.destroy()).connect()
      assert.equal(await client.ping(), 'PONG')
      assert.equal((await client.clientInfo()).user, 'default')
      apps.push(await serve(new RedisStore({ client })))
    }
  }
  const browser = new Browser()
  await browser.login(apps[0], 'ada')
  for (const app of apps) assert.equal((await browser.visit(app)).user, 'ada')
})

test('redis 4 in legacyMode', async () => {
  for (const node of nodes) {
    const client = closing(createClient4({ legacyMode: true, url: url(node, 'default', 'secret') }), (client) => client.disconnect())
    await client.connect()
    assert.equal(await new Promise((done, fail) => client.ping((err, reply) => (err ? fail(err) : done(reply)))), 'PONG')
  }
})

test('ioredis, and the form without a user', async () => {
  for (const node of nodes) {
    for (const user of ['default', '']) {
      for (const protocol of [2, 3]) {
        const client = closing(new Redis(url(node, user, 'secret'), { protocol }), (client) => client.disconnect())
        assert.equal(await client.ping(), 'PONG')
      }
    }
  }
})

test('a wrong password, a wrong user and none at all are told apart, and let nobody in', async () => {
  for (const node of nodes) {
    for (const RESP of [2, 3]) {
      for (const [user, password] of [['default', 'wrong'], ['nobody', 'secret']]) {
        await assert.rejects(oneTry({ url: url(node, user, password), RESP }).connect(), /WRONGPASS invalid username-password pair or user is disabled\./)
      }
    }
    const client = await oneTry({ url: `redis://${node}`, RESP: 2 }).connect()
    await assert.rejects(client.get('k'), { message: 'NOAUTH Authentication required.' })
  }
})
