/**
 * What the pods of a deployment are made of: both templates, and the configuration that their processes read when they start.
 *
 * It is made once for each start that an upgrade makes and kept as a ControllerRevision. What must hold: as long as the deployment is not started anew, its pods are of the kept one, whatever a newer operator would
 * make of the same spec: only an edit of a user, by its upgrade mode, replaces pods that run.
 */
import type { DeploymentSpec, PodTemplate } from '../api/deployment-spec.ts'
import { configurationOf, configurationText } from './configuration.ts'
import { shortHash } from './hash.ts'
import { jobManagerTemplate } from './job-manager.ts'
import type { Identity } from './names.ts'
import { taskManagerTemplate } from './task-manager.ts'

/** Plain data. */
export interface Rendering {
  jobManager: PodTemplate
  taskManager: PodTemplate
  /** `config.yaml`. */
  configuration: string
}

export interface RenderWish {
  identity: Identity
  spec: DeploymentSpec
  /** Per TaskManager. */
  slots: number
  /** Of the deployment. */
  generation: number
}

export type Render = (wish: RenderWish) => Rendering

/**
 * @example
 * render({ identity, spec, slots: 4, generation: 7 }).jobManager.spec.containers[0].image // 'fraud:1'
 */
export function render({ identity, spec, slots, generation }: RenderWish): Rendering {
  return {
    jobManager: jobManagerTemplate(identity, spec, slots, generation),
    taskManager: taskManagerTemplate(identity, spec, slots),
    configuration: configurationText(configurationOf(identity, spec, slots)),
  }
}

/** Of its ControllerRevision: the same for the same rendering. */
export function renderingName({ name }: Pick<Identity, 'name'>, rendering: Rendering): string {
  return `${name}-pods-${shortHash(rendering)}`
}
