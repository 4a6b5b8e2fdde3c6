/** The custom resource StreamDeployment: its names in the API, and its type. */
import type { StreamDeploymentSpecInput } from './spec.ts'
import type { StreamDeploymentStatus } from './status.ts'

export const GROUP = 'tailrace.dev'
export const VERSION = 'v1beta1'
export const STREAM_DEPLOYMENT = {
  apiVersion: `${GROUP}/${VERSION}`,
  kind: 'StreamDeployment',
  plural: 'streamdeployments',
  singular: 'streamdeployment',
  namespaced: true,
} as const

/** Names of pods and services are made of it; the longest of them have 63 characters. */
export const NAME_LENGTH_MAX = 40

export interface ObjectMeta {
  name: string
  namespace: string
  uid: string
  resourceVersion: string
  generation: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
}

/** One as the API server gives it. */
export interface StreamDeployment {
  apiVersion: string
  kind: 'StreamDeployment'
  metadata: ObjectMeta
  spec?: StreamDeploymentSpecInput
  status?: StreamDeploymentStatus
}

export type { StreamDeploymentStatus }
