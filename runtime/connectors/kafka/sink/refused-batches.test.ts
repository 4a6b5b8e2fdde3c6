import { expect, test } from 'vitest'
import { ManualClock } from '../../../core/clock.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE } from '../client/codes.ts'
import { newSession, Sender } from './sender.ts'

/** What a broker's refusal of one record makes of the job. */
async function refusedWith(errorCode: number): Promise<unknown> {
  const clock = new ManualClock()
  const client = {
    servers: 'kafka:9092',
    knownLeader: () => 1,
    leader: async () => 1,
    pause: async () => {},
    forget() {},
    produce: async () => [{ topic: 'clicks', partition: 0, errorCode }],
  } as unknown as KafkaClient
  const failed = Promise.withResolvers<unknown>()
  const settings = {
    acks: -1,
    compression: 'none',
    batchBytes: 1000,
    requestBytesMax: 10_000,
    deliveryTimeoutMs: 1000,
    requestTimeoutMs: 1000,
  } as const
  const sender: Sender = new Sender(client, settings, {
    clock,
    fail: (error) => {
      // As the writer is closed then.
      sender.close()
      failed.resolve(error)
    },
    answered() {},
    taken() {},
    drained() {},
  })
  sender.setPartitions('clicks', 1)
  sender.append(newSession(undefined), 'clicks', 0, null, Buffer.from('a'), undefined, 5)
  sender.closeAll()
  return failed.promise
}

test.each([
  [
    CODE.INVALID_TIMESTAMP,
    /a record's time is too far from the clock.*INVALID_TIMESTAMP \(32\).*"timestamp" of the sink/,
  ],
  [CODE.MESSAGE_TOO_LARGE, /no batch of \d+ bytes with 1 records, MESSAGE_TOO_LARGE \(10\).*max\.message\.bytes/],
])('a batch that is refused with code %i says what would help', async (code, text) => {
  await expect(refusedWith(code)).resolves.toMatchObject({
    code: 'TR-KAFKA-008',
    message: expect.stringMatching(text),
  })
})
