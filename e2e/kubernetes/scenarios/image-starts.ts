/** The image by itself: every command is in it, as a user that is not root, on a root that nobody writes to. */
import { until } from '../kubectl.ts'
import type { World } from '../world.ts'

const START_MS = 60_000

export async function run({ kubectl, images }: World): Promise<string> {
  const pod = (name: string, args: string[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'tailrace',
          image: images.tailrace,
          args,
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  })
  await kubectl.apply(pod('help', ['--help']), pod('version', ['--version']), pod('wrong', ['no-such-command']))
  const ended = async (name: string) => {
    const { status } = await until(`pod ${name} has ended`, START_MS, async () => {
      const shown = await kubectl.get('pod', name)
      return ['Succeeded', 'Failed'].includes(shown.status.phase) ? shown : undefined
    })
    const { exitCode, startedAt, finishedAt } = status.containerStatuses[0].state.terminated
    return { exitCode, seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 }
  }
  const help = await ended('help')
  if (help.exitCode !== 0 || (await ended('version')).exitCode !== 0) throw new Error('--help or --version failed')
  if ((await ended('wrong')).exitCode === 0) throw new Error('A command that is not there ended with 0')
  const text = await kubectl.run('logs', 'help')
  for (const command of ['jobmanager', 'taskmanager'])
    if (!text.includes(command)) throw new Error(`--help of the image does not speak of ${command}:\n${text}`)
  // What is not shipped: sources of tests, and tools of development.
  await kubectl.run('delete', 'pod', '--all')
  const look = pod('look', [])
  Object.assign(look.spec.containers[0]!, {
    command: [
      'sh',
      '-c',
      'id -u; cd /opt/tailrace; find . -name "*.test.*" -o -name "*.suite.*" -o -name typescript -maxdepth 3; touch x 2>&1',
    ],
  })
  await kubectl.apply(look)
  await ended('look')
  const [user, ...rest] = (await kubectl.run('logs', 'look')).trim().split('\n')
  if (user !== '9999') throw new Error(`The image runs as user ${user}, wanted: 9999`)
  if (rest.length !== 1 || !rest[0]!.includes('Read-only'))
    throw new Error(`In the image should be no tests, and nothing to write to:\n${rest.join('\n')}`)
  return ''
}
