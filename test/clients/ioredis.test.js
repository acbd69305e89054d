// ioredis, as it is today, with both versions of the protocol.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import Redis from 'ioredis'
import { closing, kill, start, urls, whileLeaderDies } from './cluster.js'

async function connect(node, options) {
  const client = closing(new Redis(urls[node], options), (client) => client.disconnect())
  client.lost = []
  client.on('error', (err) => client.lost.push(err)).on('close', () => client.lost.push('closed'))
  await once(client, 'ready') // after INFO said that the server is not loading
  return client
}

for (const protocol of [2, 3]) {
  for (const node of urls.keys()) {
    test(`handshake and commands: RESP${protocol}, node ${node + 1}`, async () => {
      const client = await connect(node, { protocol, db: 4, connectionName: 'app' })
      const info = await client.client('INFO')
      for (const word of [`resp=${protocol}`, 'name=app', 'db=4', 'lib-name=ioredis']) assert.match(info, new RegExp(` ${word} `))
      await commands(client)
      assert.deepEqual(client.lost, [])
    })
  }
}

async function commands(client) {
  await client.flushdb()
  assert.equal(await client.set('s', 'x', 'EX', 100), 'OK')
  assert.equal(await client.set('s', 'x', 'PX', 1, 'NX'), null)
  assert.ok([99, 100].includes(await client.ttl('s')))
  assert.deepEqual(await client.getBuffer('s'), Buffer.from('x'))
  assert.equal(await client.getex('s', 'PERSIST'), 'x')
  assert.equal(await client.pttl('s'), -1)
  assert.equal(await client.incr('n'), 1)
  assert.deepEqual(await client.mget('s', 'none', 'n'), ['x', null, '1'])
  const results = await client.pipeline().incr('n').incr('s').get('n').exec()
  assert.deepEqual([results[0], results[1][0].message, results[2]], [[null, 2], 'ERR value is not an integer or out of range', [null, '2']])
  assert.deepEqual(await client.multi().incr('n').pexpire('n', 5000).exec(), [[null, 3], [null, 1]])
  const many = Array.from({ length: 200 }, (_, i) => `many:${i}`).sort()
  await client.mset(...many.flatMap((key) => [key, key]))
  const seen = []
  for await (const keys of client.scanStream({ match: 'many:*', count: 20 })) seen.push(...keys)
  assert.deepEqual(seen.sort(), many)
  assert.equal(await client.unlink(...many, 's', 'n'), 202)
  assert.equal(await client.dbsize(), 0)
}

test('INCR counts exactly and without an error while the leader is killed', async () => {
  const survivors = []
  let acknowledged = 0
  await whileLeaderDies(20, async (node) => {
    // autoResendUnfulfilledCommands is on by default: were a connection lost, ioredis
    // would send commands twice, and the counter would tell.
    const client = await connect(node, { enableAutoPipelining: true })
    await client.del('counter')
    survivors.push(client)
    return async () => {
      await Promise.all(Array.from({ length: 16 }, () => client.incr('counter')))
      acknowledged += 16
    }
  })
  for (const client of survivors) {
    assert.equal(await client.get('counter'), `${acknowledged}`)
    assert.deepEqual(client.lost, [])
  }
})

test('a client whose node was killed goes on when it is back', async () => {
  const client = await connect(2)
  await client.set('k', 'before')
  await kill(2)
  const waiting = client.get('k')
  await start(2)
  assert.equal(await waiting, 'before')
  assert.notDeepEqual(client.lost, [])
})
