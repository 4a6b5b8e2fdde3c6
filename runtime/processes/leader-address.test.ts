import { expect, it } from 'vitest'
import type { Election, Leader } from '../ha/election.ts'
import { electedAddress, fixedAddress } from './leader-address.ts'

const leader = (identity: string, epoch: number): Leader => {
  return { identity, startId: `${identity}-${epoch}`, address: `${identity}.example:6123`, epoch }
}

function fakeElection(now: Leader | undefined) {
  let tell: (leader: Leader | undefined) => void = () => {}
  const election = {
    leader: async () => now,
    watch: (listener: typeof tell) => {
      tell = listener
      return () => {}
    },
    close: async () => {},
  } as unknown as Election
  return { election, tell: (leader: Leader | undefined) => tell(leader) }
}

it('tells of each other leader, and of no news', async () => {
  const { election, tell } = fakeElection(leader('a', 1))
  const address = electedAddress(election)
  let news = 0
  const stop = address.watch(() => news++)
  expect(await address.find()).toEqual({ host: 'a.example', port: 6123 })
  tell(leader('a', 1))
  // It may be reached yet, and nobody else is there.
  tell(undefined)
  expect(news).toBe(0)
  expect(await address.find()).toEqual({ host: 'a.example', port: 6123 })
  tell(leader('b', 2))
  expect(news).toBe(1)
  expect(await address.find()).toEqual({ host: 'b.example', port: 6123 })
  // The same process, started again.
  tell(leader('b', 3))
  expect(news).toBe(2)
  stop()
  tell(leader('c', 4))
  expect(news).toBe(2)
})

it('looks at the record again for who did not find a leader where it was told', async () => {
  let now = leader('a', 1)
  const { election } = fakeElection(undefined)
  const address = electedAddress(Object.assign(election, { leader: async () => now }))
  expect(await address.find()).toEqual({ host: 'a.example', port: 6123 })
  now = leader('b', 2)
  expect(await address.find()).toEqual({ host: 'b.example', port: 6123 })
  // What a slow store gives may be older.
  now = leader('a', 1)
  expect(await address.find()).toEqual({ host: 'b.example', port: 6123 })
  const unreadable = Object.assign(election, { leader: () => Promise.reject(new Error('no answer')) })
  expect(await address.find()).toEqual({ host: 'b.example', port: 6123 })
  await expect(electedAddress(unreadable).find()).rejects.toThrow('no answer')
})

it('tells who asked when there was nobody', async () => {
  const { election, tell } = fakeElection(undefined)
  const address = electedAddress(election)
  let news = 0
  address.watch(() => news++)
  expect(await address.find()).toBeUndefined()
  tell(leader('a', 1))
  expect(news).toBe(1)
})

it('is what the configuration says where nobody is elected', async () => {
  const address = fixedAddress({ 'jobmanager.rpc.address': 'jm', 'jobmanager.rpc.port': '7000' })
  expect(await address.find()).toEqual({ host: 'jm', port: 7000 })
})
