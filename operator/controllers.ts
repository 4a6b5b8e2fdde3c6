/** What the operator's process runs. */
import { openStreamDeployments } from './controllers/stream-deployment/open.ts'
import type { OpenController } from './kube/controller.ts'

/** `TAILRACE_IMAGE`: of deployments whose spec names none; the chart says that of the operator itself. */
export const CONTROLLERS: readonly OpenController[] = [
  openStreamDeployments({ image: process.env['TAILRACE_IMAGE'] ?? 'tailrace' }),
]
