import { expect, it } from 'vitest'
import { MapStateDescriptor, StateTtlConfig, StreamExecutionEnvironment } from '../index.ts'

it('DataStream.broadcast() refuses state with a time to live: its copies would differ', () => {
  const env = StreamExecutionEnvironment.getExecutionEnvironment()
  const rules = new MapStateDescriptor<string, number>('rules')
  expect(() => env.fromData('a').broadcast(rules)).not.toThrow()
  rules.enableTimeToLive(StateTtlConfig.newBuilder('1 h').build())
  expect(() => env.fromData('a').broadcast(rules)).toThrow(/state "rules" with a time to live/)
})
