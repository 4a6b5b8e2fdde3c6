/** The program of a simulated process: runs in its thread for programs, and again in each slot. */
import type { StreamExecutionEnvironment } from '../../api/environment.ts'
import type { Party } from './world.ts'

export type Main = (env: StreamExecutionEnvironment, party: Party) => Promise<unknown>
