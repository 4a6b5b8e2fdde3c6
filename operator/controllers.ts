/** What the operator's process runs. */
import type { OpenController } from './kube/controller.ts'

export const CONTROLLERS: readonly OpenController[] = []
