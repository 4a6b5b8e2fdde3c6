import { describe, expect, it } from 'vitest'
import { ConfigValues } from '../config/option.ts'
import { dataPorts } from './data-ports.ts'

const of = (told?: string, bound?: string) =>
  dataPorts(
    new ConfigValues(
      {
        ...(told === undefined ? {} : { 'taskmanager.data.port': told }),
        ...(bound === undefined ? {} : { 'taskmanager.data.bind-port': bound }),
      },
      'TR-CONFIG-001',
    ),
    2,
  )

describe('ports of slots', () => {
  it('are any free ones, those that are given, or others than are told', () => {
    expect(of()).toEqual({ port: [0] })
    expect(of('6130-6132')).toEqual({ port: [6130, 6131, 6132] })
    expect(of('0', '6130,6140')).toEqual({ port: [6130, 6140] })
    expect(of('7130-7131', '6130-6131')).toEqual({ port: [6130, 6131], advertisedPort: [7130, 7131] })
  })

  it('are refused when slots would have none, or nobody could tell which is which', () => {
    expect(() => of('6130')).toThrow('taskmanager.data.port: a port for each of the 2 slots is wanted')
    expect(() => of('7130-7132', '6130-6131')).toThrow('a port for each of the 3 of taskmanager.data.port is wanted')
    expect(() => of('7130-7131', '0')).toThrow('taskmanager.data.bind-port')
  })
})
