/** What an embedded cluster lets onlookers see: REST and the page on one port, Prometheus on another. Loaded while the program does. */
import { systemClock } from '../core/clock.ts'
import type { Dispatcher } from '../jobmanager/dispatcher.ts'
import type { ClusterSettings } from './settings.ts'

export interface Servers {
  /** Without a slash at its end; undefined when the page is off. */
  webUrl: string | undefined
  close(): Promise<void>
}

export async function startServers(dispatcher: Dispatcher, settings: ClusterSettings): Promise<Servers> {
  const { MetricsReader } = await import('../metrics/reader.ts')
  const { startMetricsServer } = await import('../metrics/server.ts')
  const metrics = new MetricsReader(dispatcher, systemClock)
  metrics.start()
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    metrics.stop()
    for (const closer of closers) await closer()
  }
  const { metricsPorts } = settings
  if (metricsPorts !== undefined)
    closers.push((await startMetricsServer({ source: metrics, port: metricsPorts })).close)
  return { webUrl: undefined, close }
}
