import { expect, test } from 'vitest'
import { kafkaArguments } from './arguments.ts'

test('the brokers, and properties of all kinds, come from the command line', () => {
  expect(kafkaArguments({ 'kafka.bootstrap': 'kafka:9092', 'kafka.sasl.mechanism': 'PLAIN', window: '1 min' })).toEqual(
    {
      bootstrapServers: 'kafka:9092',
      properties: { 'sasl.mechanism': 'PLAIN' },
    },
  )
})

test('without brokers those of the environment hold', () => {
  expect(kafkaArguments({ rate: '10' })).toEqual({ properties: {} })
})
