import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HighAvailability } from './high-availability.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailrace-availability-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function openFor(more: Record<string, string>): Promise<HighAvailability> {
  const configuration = {
    'high-availability.type': 'file',
    'high-availability.storageDir': folder,
    'high-availability.cluster-id': 'totals',
    ...more,
  }
  return (await HighAvailability.open({ configuration, environment: {}, log: () => {} }))!
}

/** Leads, runs a program to its end and goes. */
async function runProgram(more: Record<string, string>): Promise<void> {
  const availability = await openFor(more)
  const { registry } = await availability.campaign({ host: '127.0.0.1', port: 6123 }, () => {})
  if (registry === undefined) throw new Error('A leader has a registry')
  await registry.addProgram({
    programId: 'main',
    program: { url: 'file:///a.mjs', args: [], parameters: {}, options: {} },
  })
  await registry.endProgram('main', { status: 'CANCELED' })
  await registry.close()
  await availability.close()
}

async function programsOf(more: Record<string, string>): Promise<string[]> {
  const availability = await openFor(more)
  const { programs } = await availability.registry()
  await availability.close()
  return programs.map(({ programId }) => programId)
}

it('finds what ran in the same cluster', async () => {
  await runProgram({})
  expect(await programsOf({})).toEqual(['main'])
})

// A StreamDeployment that was deleted and made anew found the job of the earlier one, cancelled, and never began its own.
it('knows nothing of a deployment of another id that had the same name', async () => {
  const first = { 'tailrace.deployment.id': 'uid-1' }
  const second = { 'tailrace.deployment.id': 'uid-2' }
  await runProgram(first)
  expect(await programsOf(first)).toEqual(['main'])
  expect(await programsOf(second)).toEqual([])
})
