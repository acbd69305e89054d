// Users, and who follows whom.
//
//     user:NAME        a hash: password, joined, posts (how many)
//     users            a sorted set of all names by the time they joined
//     followers:NAME   a sorted set of names by the time they followed
//     following:NAME   the same the other way round
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(scrypt)

async function hash(password, salt = randomBytes(16)) {
  return `${salt.toString('hex')}:${(await derive(password, salt, 32)).toString('hex')}`
}

export class Users {
  constructor(client) {
    this.client = client
  }

  // Returns what is wrong, or nothing. Of two who want a name at the same time one gets
  // it: HSETNX says who, and the transaction makes the user whole or not at all.
  async signUp(name, password) {
    if (!/^[a-z0-9_]{1,15}$/.test(name)) return 'A name has 1 to 15 letters from a to z, digits or underscores.'
    if (password.length < 8) return 'A password has 8 characters or more.'
    const now = Date.now()
    const [isNew] = await this.client.multi()
      .hSetNX(`user:${name}`, 'password', await hash(password))
      .hSetNX(`user:${name}`, 'joined', `${now}`)
      .zAdd('users', { score: now, value: name }, { condition: 'NX' })
      .exec()
    if (!isNew) return 'That name is taken.'
  }

  async knows(name, password) {
    const stored = await this.client.hGet(`user:${name}`, 'password')
    if (!stored) return false
    const again = await hash(password, Buffer.from(stored.split(':')[0], 'hex'))
    return timingSafeEqual(Buffer.from(stored), Buffer.from(again))
  }

  async latest(count = 10) {
    return this.client.zRange('users', 0, count - 1, { REV: true })
  }

  async profile(name) {
    const [[joined, posts], followers, following] = await Promise.all([
      this.client.hmGet(`user:${name}`, ['joined', 'posts']),
      this.client.zCard(`followers:${name}`),
      this.client.zCard(`following:${name}`),
    ])
    if (joined) return { joined: Number(joined), posts: Number(posts ?? 0), followers, following }
  }

  async follows(name, other) {
    return await this.client.zScore(`following:${name}`, other) !== null
  }

  // Both sides change in one transaction, on every node.
  async follow(name, other) {
    if (name === other) return
    const now = Date.now()
    await this.client.multi()
      .zAdd(`following:${name}`, { score: now, value: other }, { condition: 'NX' })
      .zAdd(`followers:${other}`, { score: now, value: name }, { condition: 'NX' })
      .exec()
  }

  async unfollow(name, other) {
    await this.client.multi()
      .zRem(`following:${name}`, other)
      .zRem(`followers:${other}`, name)
      .exec()
  }
}
