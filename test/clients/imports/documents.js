// Writes a collection of connect-mongo with stringify: false, of random sessions, and
// prints what an application makes of each when it saves it with connect-redis.
//
//     node documents.js FILE SEED
import { writeFileSync } from 'node:fs'
import { BSON } from 'mongodb'

const [file, seed] = process.argv.slice(2)

// A random number from 0 to n - 1 (mulberry32).
let state = Number(seed)
function below(n) {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % n
}
const choose = (...from) => from[below(from.length)]

const text = () => Array.from({ length: below(6) }, () => choose('a', 'Z', '"', '\\', '\n', '\u0000', '\u001f', '\u007f', '\u2028', 'ä', '日', '🦅', '<', '&', '/')).join('')
const number = () => choose(
  () => below(2 ** 31) - 2 ** 30, () => below(2 ** 32) / 2 ** 16, () => -0, () => 0.1 + 0.2, () => 1e21, () => 123456789012345680000,
  () => 1e-6, () => 1.5e-7, () => 5e-324, () => Number.MAX_VALUE, () => Number.MAX_SAFE_INTEGER, () => NaN, () => -Infinity,
  () => new BSON.Int32(below(1000)), () => new BSON.Double(below(1000)), () => BSON.Long.fromNumber(-below(2 ** 32) * 2 ** 20),
)()

function value(depth) {
  if (depth > 0) {
    switch (below(4)) {
      case 0: return Object.fromEntries(Array.from({ length: below(5) }, (_, i) => [`${choose('k', 'ä"', '$', '.', '\u0001')}${i}`, value(depth - 1)]))
      case 1: return Array.from({ length: below(5) }, () => value(depth - 1))
    }
  }
  return choose(text, number, () => null, () => below(2) === 1, () => new Date(below(2 ** 32) * 1000 + below(1000)),
    () => new Date(-below(2 ** 30) * 1000), () => BSON.ObjectId.createFromTime(below(2 ** 31)), () => undefined)()
}

const documents = Array.from({ length: 500 }, (_, i) => ({
  _id: `id-${i}`,
  expires: new Date(Date.now() + 60_000),
  session: { cookie: { originalMaxAge: null, expires: choose(null, new Date()) }, data: value(4) },
}))
const encoded = documents.map((document) => BSON.serialize(document, { ignoreUndefined: choose(true, false) }))
writeFileSync(file, Buffer.concat(encoded))
for (const bytes of encoded) console.log(JSON.stringify(BSON.deserialize(bytes).session))
