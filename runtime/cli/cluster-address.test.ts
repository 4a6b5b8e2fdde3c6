import { expect, it } from 'vitest'
import { clusterUrl } from './cluster-address.ts'

it.each([
  [undefined, {}, 'http://localhost:8081'],
  ['jobs.example', {}, 'http://jobs.example:8081'],
  ['jobs.example:9000', {}, 'http://jobs.example:9000'],
  ['jobs.example:80', {}, 'http://jobs.example'],
  [':9000', {}, 'http://localhost:9000'],
  ['[::1]:9000', {}, 'http://[::1]:9000'],
  ['https://jobs.example/clusters/a/', {}, 'https://jobs.example/clusters/a'],
  [undefined, { 'rest.address': 'jobs.example', 'rest.port': '9000' }, 'http://jobs.example:9000'],
  [undefined, { 'rest.port': '8082-8090' }, 'http://localhost:8082'],
  ['other:1234', { 'rest.address': 'jobs.example', 'rest.port': '9000' }, 'http://other:1234'],
  ['other', { 'rest.port': '9000' }, 'http://other:9000'],
])('clusterUrl() takes %s with %j for %s', (address, config, url) => {
  expect(clusterUrl({ ...(address === undefined ? {} : { address }), config: config as Record<string, string> })).toBe(
    url,
  )
})

it.each([
  ['a b', {}, 'TR-CLI-001'],
  ['host:port', {}, 'TR-CLI-001'],
  ['host/path', {}, 'TR-CLI-001'],
  [undefined, { 'rest.port': 'any' }, 'TR-CONFIG-001'],
])('clusterUrl() refuses %s with %j', (address, config, code) => {
  const flags = { ...(address === undefined ? {} : { address }), config: config as Record<string, string> }
  expect(() => clusterUrl(flags)).toThrow(expect.objectContaining({ code }))
})
