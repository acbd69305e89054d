// What express-session asks of a store, with connect-redis: written through one node and
// looked at through another.
import assert from 'node:assert/strict'
import { before, beforeEach, test } from 'node:test'
import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'
import { Browser, serve } from './app.js'
import { closing, sleep, urls } from './cluster.js'

const clients = urls.map((url) => closing(createClient({ url }), (client) => client.destroy()))
const [store, second, third] = clients.map((client) => new RedisStore({ client, prefix: 'store:', ttl: 600, scanCount: 10 }))

before(() => Promise.all(clients.map((client) => client.connect())))
beforeEach(() => clients[1].flushDb())

const expiring = (ms) => ({ cookie: { expires: new Date(Date.now() + ms).toISOString(), originalMaxAge: ms }, user: 'ada' })
const lasting = (user) => ({ cookie: { originalMaxAge: null }, user })

async function ttlIs(key, seconds) {
  for (const client of clients) {
    const left = await client.pTTL(key)
    assert.ok(left > (seconds - 5) * 1000 && left <= seconds * 1000, `${key}: ${left} ms left of ${seconds} s`)
  }
}

test('set and get; the cookie says how long, or else the store does', async () => {
  const session = { ...expiring(90_000), cart: { 'a b': ['ä', '日本', '\0\r\n"'] } }
  await store.set('one', session)
  assert.deepEqual(await second.get('one'), session)
  await ttlIs('store:one', 90)
  await store.set('two', lasting('grace'))
  assert.deepEqual(await third.get('two'), lasting('grace'))
  await ttlIs('store:two', 600)
  assert.equal(await second.get('nobody'), null)
})

test('set replaces the session and its deadline', async () => {
  await store.set('one', expiring(90_000))
  await second.set('one', lasting('grace'))
  assert.deepEqual(await third.get('one'), lasting('grace'))
  await ttlIs('store:one', 600)
})

test('a session ends at its deadline, on every node and without a touch', async () => {
  await store.set('one', expiring(1000))
  for (const other of [store, second, third]) assert.notEqual(await other.get('one'), null)
  await sleep(1050)
  for (const client of clients) assert.equal(await client.dbSize(), 0)
  for (const other of [store, second, third]) assert.equal(await other.get('one'), null)
})

test('a session that has ended already is not kept', async () => {
  await store.set('one', lasting('ada'))
  await store.set('one', expiring(-1000))
  assert.equal(await second.get('one'), null)
})

test('touch moves the deadline and nothing else', async () => {
  await store.set('one', expiring(90_000))
  const before = await third.get('one')
  await second.touch('one', expiring(300_000))
  await ttlIs('store:one', 300)
  assert.deepEqual(await third.get('one'), before)
  await second.touch('nobody', expiring(300_000))
  assert.equal(await third.get('nobody'), null)
})

test('destroy', async () => {
  await store.set('one', lasting('ada'))
  await second.destroy('one')
  assert.equal(await third.get('one'), null)
  await second.destroy('one')
})

test('length, ids, all and clear see the sessions alone, in however many pages', async () => {
  const ids = Array.from({ length: 300 }, (_, i) => `id-${i}`).sort()
  await Promise.all(ids.map((id) => store.set(id, lasting(id))))
  await clients[0].set('another', 'key')
  assert.equal(await second.length(), 300)
  assert.deepEqual((await third.ids()).sort(), ids)
  const all = await second.all()
  assert.deepEqual(all.map(({ id }) => id).sort(), ids)
  for (const { id, user } of all) assert.equal(user, id)
  await third.clear()
  assert.equal(await store.length(), 0)
  assert.deepEqual(await second.ids(), [])
  assert.deepEqual(await second.all(), [])
  assert.equal(await clients[2].get('another'), 'key')
})

test('the same with callbacks', async () => {
  const called = (method, ...args) => new Promise((done) => second[method](...args, (...result) => done(result)))
  assert.deepEqual(await called('set', 'one', lasting('ada')), [null, null])
  assert.deepEqual(await called('get', 'one'), [null, lasting('ada')])
  assert.deepEqual(await called('length'), [null, 1])
  assert.deepEqual(await called('ids'), [null, ['one']])
  assert.deepEqual(await called('all'), [null, [{ ...lasting('ada'), id: 'one' }]])
  assert.deepEqual(await called('touch', 'one', expiring(90_000)), [null, null])
  assert.deepEqual(await called('destroy', 'one'), [null, null])
  assert.deepEqual(await called('get', 'one'), [null, null])
  assert.deepEqual(await called('clear'), [null, null])
})

test('regenerate gives a new id and ends the old one', async () => {
  const [here, there] = [await serve(store), await serve(second)]
  const browser = new Browser()
  const first = await browser.login(here, 'ada')
  const next = await browser.login(there, 'grace')
  assert.notEqual(next.id, first.id)
  assert.deepEqual(await third.ids(), [next.id])
  assert.equal((await browser.visit(here)).user, 'grace')
  await browser.logout(here)
  assert.deepEqual(await third.ids(), [])
  assert.equal((await browser.visit(there)).user, undefined)
})

test('rolling: each response renews the cookie and the deadline', async () => {
  const cookie = { maxAge: 120_000 }
  const [still, rolling] = [await serve(store, { cookie }), await serve(second, { cookie, rolling: true })]
  const browser = new Browser()
  const { id } = await browser.login(still, 'ada')
  for (const [app, sets] of [[still, false], [rolling, true]]) {
    await clients[2].expire(`store:${id}`, 10)
    assert.equal((await browser.visit(`${app}/look`)).user, 'ada')
    assert.equal(browser.received !== '', sets)
    await ttlIs(`store:${id}`, 120) // touched either way
  }
})
