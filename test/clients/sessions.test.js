// express-session with connect-redis and redis, each as it is today: logins outlive nodes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'
import { Browser, serve } from './app.js'
import { closing, kill, start, urls, whileLeaderDies } from './cluster.js'

// An instance of the application that is connected to one node.
async function open(node) {
  const client = closing(createClient({ url: urls[node] }), (client) => client.destroy())
  const errors = []
  client.on('error', (err) => errors.push(err))
  await client.connect()
  return { app: await serve(new RedisStore({ client, ttl: 60 })), errors }
}

test('a login through node 1 is known at node 2 after node 1 was killed', async () => {
  const [first, second] = [await open(0), await open(1)]
  const browser = new Browser()
  const { id } = await browser.login(first.app, 'ada')
  for (let visits = 0; visits < 3; visits++) {
    assert.deepEqual(await browser.visit(first.app), { user: 'ada', visits, id })
  }
  await kill(0)
  assert.deepEqual(await browser.visit(second.app), { user: 'ada', visits: 3, id })
  await browser.logout(second.app)
  assert.deepEqual(second.errors, [])

  // Its client connects again as soon as the node is back; until then requests wait.
  const lookingAt = browser.login(first.app, 'grace')
  await start(0)
  await lookingAt
  assert.equal((await browser.visit(second.app)).user, 'grace')
  assert.equal((await browser.visit(first.app)).visits, 1)
  assert.notEqual(first.errors.length, 0)
})

test('no request fails at the survivors while the leader is killed', async () => {
  let logins = 0
  const login = async (app, name) => {
    const browser = new Browser()
    const user = `${name}-${logins++}`
    const { id } = await browser.login(app, user)
    for (let visits = 0; visits < 3; visits++) {
      assert.deepEqual(await browser.visit(app), { user, visits, id })
    }
    await browser.logout(app)
    assert.equal((await browser.visit(app)).user, undefined)
  }
  await whileLeaderDies(5, async (node) => {
    const { app, errors } = await open(node)
    return async () => {
      await Promise.all(['ada', 'grace', 'mary', 'joan'].map((name) => login(app, name)))
      assert.deepEqual(errors, [])
    }
  })
})
