// Posts, and where they are read.
//
//     posts:next       a counter
//     post:ID          a hash: by, text, at
//     posts:NAME       a list of the ids of a user's posts, the latest first
//     home:NAME        the same of those whom the user follows, and their own
//     posts            the same of everybody
export const longest = 280 // characters of a post
const kept = 1000 // ids in a list

export class Posts {
  constructor(client) {
    this.client = client
  }

  // A post goes to the lists of all followers when it is written, so that reading a home
  // page is reading one list. One transaction: it is everywhere or nowhere.
  async write(by, text) {
    const [id, followers] = await Promise.all([
      this.client.incr('posts:next'),
      this.client.zRange(`followers:${by}`, 0, -1),
    ])
    const lists = ['posts', `posts:${by}`, `home:${by}`, ...followers.map((name) => `home:${name}`)]
    const transaction = this.client.multi()
      .hSet(`post:${id}`, { by, text, at: Date.now() })
      .hIncrBy(`user:${by}`, 'posts', 1)
    for (const list of lists) transaction.lPush(list, `${id}`).lTrim(list, 0, kept - 1)
    await transaction.exec()
  }

  home = (name) => this.#read(`home:${name}`)
  of = (name) => this.#read(`posts:${name}`)
  latest = () => this.#read('posts')

  async #read(list, count = 50) {
    const ids = await this.client.lRange(list, 0, count - 1)
    // Asked for together, they travel in one pipeline.
    return Promise.all(ids.map(async (id) => {
      const { by, text, at } = await this.client.hGetAll(`post:${id}`)
      return { id, by, text, at: Number(at) }
    }))
  }
}
