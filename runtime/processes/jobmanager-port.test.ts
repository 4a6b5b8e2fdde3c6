import { describe, expect, it } from 'vitest'
import { TailraceError } from '../core/errors.ts'
import type { Listen } from '../core/socket.ts'
import { JobManagerPort } from './jobmanager-port.ts'

/** Listens nowhere: 7000 is taken, and 0 becomes 7999. */
const listen: Listen = async ({ host, port }) => {
  if (port === 7000) throw new TailraceError('TR-CLUSTER-003', 'Cannot listen on port 7000: it is taken')
  return { address: { host, port: port === 0 ? 7999 : port }, close: async () => {} }
}

async function ports(configuration: Record<string, string>): Promise<{ listens: number; told: number }> {
  const port = await JobManagerPort.open({ configuration, listen, onDeposed: () => {}, log: () => {} })
  return { listens: port.address.port, told: port.toldPort }
}

const HA = { 'high-availability.type': 'file' }

describe('the port of a JobManager', () => {
  it.each<[string, Record<string, string>, { listens: number; told: number }]>([
    ['is jobmanager.rpc.port', { 'jobmanager.rpc.port': '7001' }, { listens: 7001, told: 7001 }],
    ['is any free one with 0', { 'jobmanager.rpc.port': '0' }, { listens: 7999, told: 7999 }],
    [
      'is jobmanager.rpc.bind-port, where others are told another',
      { 'jobmanager.rpc.port': '7001', 'jobmanager.rpc.bind-port': '7002' },
      { listens: 7002, told: 7001 },
    ],
    [
      'is told as it is when any port will do',
      { 'jobmanager.rpc.port': '0', 'jobmanager.rpc.bind-port': '7002' },
      { listens: 7002, told: 7002 },
    ],
    [
      'is one of a range of the election',
      { ...HA, 'high-availability.jobmanager.port': '7000-7002' },
      { listens: 7001, told: 7001 },
    ],
    [
      'is told as the one in its place',
      { ...HA, 'high-availability.jobmanager.port': '8000-8002', 'jobmanager.rpc.bind-port': '7000-7002' },
      { listens: 7001, told: 8001 },
    ],
  ])('%s', async (_, configuration, wanted) => {
    expect(await ports(configuration)).toEqual(wanted)
  })

  it('cannot be one of several where one is told', async () => {
    const configuration = { 'jobmanager.rpc.port': '7001', 'jobmanager.rpc.bind-port': '7002-7004' }
    await expect(ports(configuration)).rejects.toThrow(
      'Cannot use "7002-7004" for jobmanager.rpc.bind-port: a port for each of the 1 of jobmanager.rpc.port is wanted',
    )
  })
})
