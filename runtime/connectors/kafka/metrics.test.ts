import { expect, test } from 'vitest'
import { WatermarkStrategy } from '../../core/watermarks.ts'
import { json } from '../../formats/json/index.ts'
import { MiniCluster } from '../../testing/mini-cluster.ts'
import { kafkaSink, kafkaSource } from './index.ts'
import { describeOnKfake } from './testing/kafka-broker.suite.ts'

interface Click {
  n: number
}

describeOnKfake('metrics of Kafka', (kafka) => {
  test('a job from topic to topic has those of the source and the sink, with their values', async () => {
    await kafka().createTopic('clicks', 1)
    await kafka().createTopic('copies', 1)
    await kafka().produce(
      'clicks',
      [0, 1, 2].map((n) => ({ value: `{"n":${n}}`, timestampMs: 1000 })),
    )
    const cluster = await MiniCluster.start({ slots: 1 })
    const { bootstrapServers } = kafka()
    let jobId = ''
    await cluster.runProgram(
      async (env) => {
        env.enableCheckpointing('50ms')
        const source = kafkaSource({
          bootstrapServers,
          topics: 'clicks',
          groupId: 'copy',
          bounded: 'latest',
          value: json<Click>(),
        })
        const sink = kafkaSink({
          bootstrapServers,
          topic: 'copies',
          value: json<Click>(),
          deliveryGuarantee: 'exactly-once',
          transactionalIdPrefix: 'copies',
        })
        env.fromSource(source, WatermarkStrategy.noWatermarks(), 'clicks').sinkTo(sink)
        await env.execute('copy')
      },
      { onJob: (id) => (jobId = id) },
    )
    const found = new Map<string, number>()
    for (const { page, names } of cluster.job(jobId)!.metrics) {
      const values = new Float64Array(page)
      for (const { scope, name, labels, index } of names)
        if (scope === 'operator' && !(found.get(name)! > values[index]!)) {
          found.set(name, values[index]!)
          if (name.endsWith('Offset')) expect(labels).toEqual({ topic: 'clicks', partition: '0' })
        }
    }
    await cluster.stop()
    const values = Object.fromEntries(found)
    expect(values).toMatchObject({
      pendingRecords: 0,
      'KafkaSourceReader.KafkaConsumer.records-lag-max': 0,
      'KafkaSourceReader.KafkaConsumer.topic.partition.records-lag': 0,
      'KafkaSourceReader.topic.partition.currentOffset': 2,
      'KafkaSourceReader.topic.partition.committedOffset': 3,
      'KafkaSourceReader.commitsFailed': 0,
      numRecordsSend: 3,
      numRecordsSendErrors: 0,
      successfulCommittables: 1,
    })
    expect(values['KafkaSourceReader.commitsSucceeded']).toBeGreaterThan(0)
    for (const name of ['numBytesIn', 'numBytesSend', 'currentEmitEventTimeLag'])
      expect(values[name]).toBeGreaterThan(0)
    for (const name of ['sourceIdleTime', 'currentSendTime', 'watermarkLag']) expect(values[name]).toBeTypeOf('number')
    // They would be there twice, as Flink's other names of others.
    for (const name of ['numRecordsOutErrors', 'numBytesOut']) expect(values[name]).toBeUndefined()
  })
})
