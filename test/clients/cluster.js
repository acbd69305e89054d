// The cluster of three nodes that clients_test.go runs, and what breaks it.
import { after } from 'node:test'

// Where the nodes serve clients. They are numbered from 0 here.
export const nodes = process.env.NODES.split(',')
export const urls = nodes.map((node) => `redis://${node}`)

export const others = (node) => [0, 1, 2].filter((other) => other !== node)

async function control(method, path) {
  const response = await fetch(process.env.CONTROL + path, { method })
  const body = await response.text()
  if (!response.ok) throw new Error(`${path}: ${body}`)
  return body
}

// The node that leads.
export const leader = async () => Number(await control('GET', '/leader'))

// SIGKILL; returns when the process is gone.
export const kill = (node) => control('POST', `/kill/${node}`)

// Starts a node, and returns when it is ready.
export const start = (node) => control('POST', `/start/${node}`)

// Kills the leader while clients of the survivors work: open(node) returns what a client
// of that node does, over and over. There is a round of work at least that often before
// the kill, and that often by each client after it.
export async function whileLeaderDies(rounds, open) {
  const dying = await leader()
  const clients = await Promise.all(others(dying).map(open))
  let done = 0
  let dead = false
  let begun
  const enough = new Promise((resolve) => (begun = resolve))
  const killing = enough.then(() => kill(dying)).finally(() => (dead = true))
  const working = clients.map(async (work) => {
    for (let left = rounds; left > 0; left -= dead ? 1 : 0) {
      await work()
      if (++done === rounds) begun()
    }
  })
  try {
    await Promise.all([killing, ...working])
  } finally {
    begun()
    await killing
    await start(dying)
  }
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

// Has something closed after the test that it was opened in, whatever comes of that.
export function closing(thing, close) {
  after(() => close(thing))
  return thing
}
