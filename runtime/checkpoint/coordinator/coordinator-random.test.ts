/** What must hold of the coordinator, whatever happens in whatever order. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { errorToData, TailraceError } from '../../core/errors.ts'
import { handlesOf } from '../handles.ts'
import { beginCoordinator, lets, TASKS, type TaskName } from './coordinator.suite.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom'))
const refused = new TailraceError('TR-CHECKPOINT-001', 'disk full')

const task = fc.constantFrom(...TASKS)
/** How far back from the newest checkpoint. */
const back = fc.constantFrom(0, 0, 0, 0, 1, 2)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat({ max: 150 }) }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('enumerators' as const), back }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('ack' as const), task, back }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('ack all' as const), back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('decline' as const, 'give way' as const), task, back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'finish' as const), task }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('hold', 'release', 'refuse', 'fail', 'checkpoint', 'savepoint', 'stop', 'drain'),
    }),
  },
)

it('tells of nothing too early or twice, keeps what it needs, and forgets nobody', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 120, size: 'max' }),
    fc.constantFrom('1', '3'),
    fc.constantFrom('0', '2'),
    async (steps, max, tolerable) => {
      const begun = beginCoordinator({
        config: { 'max-concurrent-checkpoints': max, 'tolerable-failed-checkpoints': tolerable, timeout: '400' },
      })
      const { coordinator, failures, heard, run, savepoints, say, store, time } = begun
      const all: string[] = []
      const stored = new Set<number>()
      const acked = new Set<string>()
      const asked: Promise<unknown>[] = []
      let settled = 0
      let newest = 0
      let ended = new Set<TaskName>()
      /** Looks at what came out; the store has what it has by now. */
      const look = () => {
        for (const { metadata } of store.completed) stored.add(metadata.checkpointId)
        for (const { metadata } of savepoints) stored.add(metadata.checkpointId)
        for (const event of heard()) {
          all.push(event)
          const id = Number(event.split(' ').at(-1))
          if (event.startsWith('enumerators')) {
            expect(id).toBe(newest + 1)
            newest = id
          }
          if (event.startsWith('complete')) expect(stored.has(id)).toBe(true)
        }
      }
      const ask = (promise: Promise<unknown>) => {
        asked.push(
          promise.then(
            () => settled++,
            () => settled++,
          ),
        )
      }
      /** Each has a file of its own. */
      const ack = (id: number, name: TaskName) => {
        const file = `${acked.size}-${id}`
        acked.add(file)
        const lists = [{ name: 's', mode: 'split' as const, handle: { file, offset: 0, length: 9 }, offsets: [0] }]
        say.ack(id, name, { finished: ended.has(name), operators: [{ operatorId: name[0]!, lists }] })
      }
      for (const one of steps) {
        const id = 'back' in one ? newest - one.back : 0
        switch (one.do) {
          case 'pass':
            time.advance(one.ms)
            break
          case 'enumerators':
            say.enumerators(id)
            break
          case 'ack':
            if (id > 0) ack(id, one.task)
            break
          case 'ack all':
            if (id > 0) for (const name of TASKS) ack(id, name)
            break
          case 'decline':
            say.decline(id, one.task)
            break
          case 'give way':
            say.giveWay(id, one.task)
            break
          case 'end':
            ended.add(one.task)
            say.ended(one.task)
            break
          case 'finish':
            if (ended.has(one.task)) say.state('FINISHED', one.task)
            break
          case 'hold':
            store.hold()
            break
          case 'release':
            store.release()
            break
          case 'refuse':
            store.refuse(refused)
            break
          case 'checkpoint':
            ask(coordinator.takeCheckpoint())
            break
          case 'savepoint':
            ask(coordinator.takeSavepoint('/sp'))
            break
          case 'stop':
          case 'drain':
            ask(coordinator.stopWithSavepoint('/sp', one.do === 'drain'))
            break
          case 'fail':
            coordinator.attemptEnds(boom)
            break
        }
        await lets()
        look()
        if (one.do === 'fail' || failures.length > 0) {
          failures.length = 0
          store.release()
          await coordinator.settled()
          look()
          ended = new Set()
          run()
        }
      }
      coordinator.jobEnds(false)
      store.release()
      await coordinator.settled()
      await lets()
      look()
      expect(settled).toBe(asked.length)
      const completes = all.filter((event) => event.startsWith('complete')).map((event) => Number(event.slice(9)))
      expect(completes).toEqual([...new Set(completes)].sort((a, b) => a - b))
      // Nothing is given up after it was told to be complete.
      for (const [at, event] of all.entries())
        if (event.startsWith('abort')) expect(all.slice(0, at)).not.toContain(event.replace('abort', 'complete'))
      const kept = new Set(
        store.completed.flatMap(({ metadata }) =>
          handlesOf(metadata).map((handle) => (handle as { file: string }).file),
        ),
      )
      const discarded = new Set(store.discarded.map((text) => text.slice(text.indexOf(':') + 1)))
      for (const file of kept) expect(discarded.has(file), `${file} is needed`).toBe(false)
      for (const file of acked) expect(kept.has(file) || discarded.has(file), `${file} is nobody's`).toBe(true)
      const { counts } = coordinator.statistics.view()
      expect([counts.inProgress, counts.completed + counts.failed]).toEqual([0, counts.total])
    },
  )
  await fc.assert(property, { numRuns: 300 })
})
