/** A job's, a task's or a checkpoint's state as a coloured word. */

const TONES: Record<string, string> = {
  RUNNING: 'good',
  FINISHED: 'done',
  COMPLETED: 'good',
  FAILED: 'bad',
  FAILING: 'bad',
  CANCELED: 'off',
  CANCELING: 'off',
  CANCELLING: 'off',
}

export const toneOf = (state: string) => TONES[state] ?? 'wait'

export function Status({ state }: { state: string }) {
  const words = state.toLowerCase().replace('canceled', 'cancelled').replace('_', ' ')
  return <span class={`status tone-${toneOf(state)}`}>{words}</span>
}
