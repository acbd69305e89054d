// redlock with ioredis. The cluster is one keyspace, so a Redlock has one client, at any
// node; the lockers of all nodes exclude each other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Redis from 'ioredis'
import Redlock from 'redlock'
import { closing, nodes, sleep, whileLeaderDies } from './cluster.js'

function locker(node, options) {
  const client = closing(new Redis(`redis://${nodes[node]}`), (client) => client.disconnect())
  const redlock = new Redlock([client], { retryCount: 2000, retryDelay: 5, retryJitter: 5, ...options })
  const errors = []
  client.on('error', (err) => errors.push(err))
  redlock.on('clientError', (err) => errors.push(err))
  return { client, redlock, errors }
}

const lockers = (options) => nodes.map((_, node) => locker(node, options))

test('a lock that is held at one node is held at all', async () => {
  const [first, second, third] = lockers({ retryCount: 0 })
  const lock = await first.redlock.lock(['door', 'window'], 60_000)
  await assert.rejects(second.redlock.lock('door', 1000), { name: 'LockError' })
  await assert.rejects(third.redlock.lock(['window', 'roof'], 1000), { name: 'LockError' })
  assert.equal(await third.client.exists('roof'), 0)
  assert.ok(await second.client.pttl('door') > 59_000)
  await lock.extend(120_000)
  assert.ok(await second.client.pttl('window') > 119_000)
  await lock.unlock()
  await (await second.redlock.lock('door', 1000)).unlock()
  for (const { errors } of [first, second, third]) assert.deepEqual(errors, [])
})

test('only its holder opens a lock, and only as long as it is its holder', async () => {
  const [first, second] = lockers({ retryCount: 0 })
  const late = await first.redlock.lock('door', 1000)
  await assert.rejects(second.redlock.unlock(new Redlock.Lock(second.redlock, 'door', 'another', Date.now() + 1000)), { name: 'LockError' })
  while (await first.client.exists('door')) await sleep(10) // until its time is over
  const lock = await second.redlock.lock('door', 60_000)
  await assert.rejects(late.unlock(), { name: 'LockError' })
  await assert.rejects(late.extend(60_000), { name: 'LockError' })
  assert.ok(await first.client.pttl('door') > 50_000)
  await lock.unlock()
})

test('locks exclude each other while the leader is killed', async () => {
  let entered = 0
  let inside = 0
  const all = []
  await whileLeaderDies(20, async (node) => {
    const workers = [locker(node), locker(node), locker(node)]
    all.push(...workers)
    await workers[0].client.del('count')
    return () => Promise.all(workers.map(async ({ client, redlock }) => {
      const lock = await redlock.lock('counting', 30_000)
      assert.equal(++inside, 1)
      // Whoever came in between would be forgotten.
      const count = Number(await client.get('count'))
      await client.set('count', count + 1)
      entered++
      inside--
      await lock.unlock()
    }))
  })
  assert.equal(await all[0].client.get('count'), `${entered}`)
  for (const { errors } of all) assert.deepEqual(errors, [])
})
