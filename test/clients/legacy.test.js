// The generation that many applications still run: redis 4 in legacyMode and
// require("connect-redis")(session), with callbacks.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { promisify } from 'node:util'
import session from 'express-session'
import { createClient } from 'redis4'
import { Browser, serve } from './app.js'
import { closing, kill, start, urls, whileLeaderDies } from './cluster.js'

const RedisStore = createRequire(import.meta.url)('connect-redis-6')(session)

async function open(node) {
  const client = closing(createClient({ legacyMode: true, url: urls[node] }), (client) => client.disconnect())
  const errors = []
  client.on('error', (err) => errors.push(err))
  await client.connect()
  const store = new RedisStore({ client, ttl: 60, retries: 0 })
  return { client, errors, store, app: await serve(store) }
}

test('commands with callbacks', async () => {
  for (const node of urls.keys()) {
    const { client } = await open(node)
    const call = (name, ...args) => promisify(client[name]).apply(client, args)
    assert.equal(await call('select', 5), 'OK')
    assert.equal(await call('flushdb'), 'OK')
    assert.equal(await call('set', 'k', 'v', 'EX', '10'), 'OK')
    assert.equal(await call('setex', 'e', 20, 'w'), 'OK')
    assert.equal(await call('get', 'k'), 'v')
    assert.equal(await call('get', 'none'), null)
    assert.ok([9, 10].includes(await call('ttl', 'k')))
    assert.deepEqual(await call('mget', 'k', 'none', 'e'), ['v', null, 'w'])
    assert.equal(await call('incr', 'n'), 1)
    assert.deepEqual((await call('keys', '*')).sort(), ['e', 'k', 'n'])
    assert.deepEqual(await promisify((done) => client.multi().set('m', 1).incr('m').exec(done))(), ['OK', 2])
    assert.equal(await call('del', 'k', 'e', 'n', 'm'), 4)
    await assert.rejects(call('set', 'k'), { message: "ERR wrong number of arguments for 'set' command" })
    assert.equal(await client.v4.get('k'), null) // and the promises of the same client
  }
})

test('the store', async () => {
  const [{ store, client }, { store: second }] = [await open(0), await open(1)]
  const call = (store, name, ...args) => promisify(store[name]).apply(store, args)
  await client.v4.flushDb()
  const lasting = { cookie: { originalMaxAge: null }, user: 'ada' }
  const expiring = { cookie: { expires: new Date(Date.now() + 30_000) }, user: 'grace' }
  await call(store, 'set', 'one', lasting)
  await call(store, 'set', 'two', expiring)
  assert.equal((await call(second, 'get', 'one')).user, 'ada')
  assert.equal(await call(second, 'get', 'nobody'), undefined)
  assert.ok([59, 60].includes(await client.v4.ttl('sess:one')))
  assert.ok([29, 30].includes(await client.v4.ttl('sess:two')))
  assert.equal(await call(second, 'touch', 'one', expiring), 'OK')
  assert.ok([29, 30].includes(await client.v4.ttl('sess:one')))
  assert.equal(await call(second, 'touch', 'nobody', expiring), 'EXPIRED')
  assert.equal(await call(second, 'length'), 2)
  assert.deepEqual((await call(second, 'ids')).sort(), ['one', 'two'])
  assert.deepEqual((await call(second, 'all')).map(({ id, user }) => `${id} ${user}`).sort(), ['one ada', 'two grace'])
  await call(store, 'destroy', 'one')
  assert.equal(await call(second, 'length'), 1)
  await call(second, 'clear')
  assert.equal(await call(store, 'length'), 0)
})

test('a login through node 1 is known at node 2 after node 1 was killed', async () => {
  const [first, second] = [await open(0), await open(1)]
  const browser = new Browser()
  const { id } = await browser.login(first.app, 'ada')
  assert.deepEqual(await browser.visit(first.app), { user: 'ada', visits: 0, id })
  await kill(0)
  assert.deepEqual(await browser.visit(second.app), { user: 'ada', visits: 1, id })
  assert.deepEqual(second.errors, [])
  await start(0)
  assert.deepEqual(await browser.visit(first.app), { user: 'ada', visits: 2, id })
})

test('no request fails at the survivors while the leader is killed', async () => {
  await whileLeaderDies(20, async (node) => {
    const { app, errors } = await open(node)
    const browser = new Browser()
    const { id } = await browser.login(app, 'ada')
    let visits = 0
    return async () => {
      assert.deepEqual(await browser.visit(app), { user: 'ada', visits: visits++, id })
      assert.deepEqual(errors, [])
    }
  })
})
