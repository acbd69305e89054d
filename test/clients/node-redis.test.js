// redis, as it is today, with both versions of the protocol.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from 'redis'
import { closing, urls, whileLeaderDies } from './cluster.js'

async function connect(node, options) {
  const client = closing(createClient({ url: urls[node], ...options }), (client) => client.isOpen && client.destroy())
  client.lost = []
  client.on('error', (err) => client.lost.push(err))
  return client.connect()
}

for (const RESP of [2, 3]) {
  for (const node of urls.keys()) {
    test(`handshake and commands: RESP${RESP}, node ${node + 1}`, async () => {
      const client = await connect(node, { RESP, name: 'app', database: 3, clientInfoTag: 'v1' })
      const info = await client.clientInfo()
      assert.equal(info.name, 'app')
      assert.equal(info.resp, RESP)
      assert.equal(info.libName, 'node-redis(v1)')
      assert.equal(info.db, 3)
      await commands(client)
      assert.deepEqual(client.lost, [])
    })
  }
}

async function commands(client) {
  await client.flushDb()
  assert.equal(await client.set('s', 'ä\0\r\n', { expiration: { type: 'EX', value: 100 } }), 'OK')
  assert.equal(await client.get('s'), 'ä\0\r\n')
  assert.equal(await client.set('s', 'x', { condition: 'NX' }), null)
  assert.equal(await client.set('s', 'x', { condition: 'XX', expiration: 'KEEPTTL', GET: true }), 'ä\0\r\n')
  assert.ok([99, 100].includes(await client.ttl('s')))
  assert.equal(await client.expire('s', 50, 'GT'), 0)
  assert.equal(await client.persist('s'), 1)
  assert.equal(await client.ttl('s'), -1)
  assert.equal(await client.ttl('none'), -2)
  assert.equal(await client.get('none'), null)
  assert.equal(await client.incrBy('n', 41), 41)
  assert.deepEqual(await Promise.all([client.incr('n'), client.decr('n'), client.incrByFloat('f', 0.5)]), [42, 41, '0.5'])
  assert.deepEqual(await client.mGet(['s', 'none', 'n']), ['x', null, '41'])
  assert.deepEqual(await client.multi().set('m', '1').incr('m').get('m').exec(), ['OK', 2, '2'])
  assert.equal(await client.exists(['s', 'n', 'none']), 2)
  await assert.rejects(client.incr('s'), { message: 'ERR value is not an integer or out of range' })
  await client.mSet(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`many:${i}`, `${i}`])))
  let seen = 0
  for await (const keys of client.scanIterator({ MATCH: 'many:*', COUNT: 20 })) seen += keys.length
  assert.equal(seen, 200)
  assert.equal(await client.del(['s', 'n', 'f', 'm', 'none']), 4)
  assert.match(await client.info('server'), /redis_version:7\./)
  assert.equal(await client.dbSize(), 200)
}

// Clients ask every server whether it tells of maintenance before it happens; a plain
// error is the answer that all of them take for no.
test('CLIENT MAINT_NOTIFICATIONS is refused alike by all nodes', async () => {
  for (const node of urls.keys()) {
    const client = await connect(node)
    await assert.rejects(client.sendCommand(['CLIENT', 'MAINT_NOTIFICATIONS', 'ON', 'moving-endpoint-type', 'internal-ip']), {
      message: "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
    })
    assert.equal(await client.ping(), 'PONG')
    await assert.rejects(connect(node, { maintNotifications: 'enabled', socket: { reconnectStrategy: false } }))
  }
})

test('INCR counts exactly and without an error while the leader is killed', async () => {
  const survivors = []
  let acknowledged = 0
  await whileLeaderDies(20, async (node) => {
    const client = await connect(node)
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
