import { expect, test } from 'vitest'
import { mergePodTemplates } from './pod-merge.ts'

const specOf = (lower: object, upper: object) => mergePodTemplates({ spec: lower }, { spec: upper }).spec

test('the container tailrace is always there, and first', () => {
  expect(mergePodTemplates(undefined, undefined)).toEqual({ spec: { containers: [{ name: 'tailrace' }] } })
  expect(specOf({ containers: [{ name: 'logs', image: 'l' }] }, {}).containers).toEqual([
    { name: 'tailrace' },
    { name: 'logs', image: 'l' },
  ])
})

test('flink-main-container is the container tailrace', () => {
  const { containers } = specOf(
    { containers: [{ name: 'flink-main-container', env: [{ name: 'A', value: '1' }] }] },
    { containers: [{ name: 'tailrace', env: [{ name: 'B', value: '2' }] }] },
  )
  expect(containers).toEqual([
    {
      name: 'tailrace',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    },
  ])
})

test('containers merge field by field, whatever their order', () => {
  const { containers } = specOf(
    {
      containers: [
        { name: 'logs', image: 'l:1' },
        { name: 'tailrace', workingDir: '/w' },
      ],
    },
    {
      containers: [
        { name: 'tailrace', securityContext: { runAsUser: 1 } },
        { name: 'logs', args: ['x'] },
      ],
    },
  )
  expect(containers).toEqual([
    { name: 'tailrace', workingDir: '/w', securityContext: { runAsUser: 1 } },
    { name: 'logs', image: 'l:1', args: ['x'] },
  ])
})

test('lists of named things merge by their names, others are replaced', () => {
  const spec = specOf(
    {
      volumes: [
        { name: 'a', emptyDir: { sizeLimit: '1Gi' } },
        { name: 'b', emptyDir: {} },
      ],
      tolerations: [{ key: 'x' }],
      nodeSelector: { disk: 'ssd', zone: 'a' },
      imagePullSecrets: [{ name: 's' }],
    },
    {
      volumes: [
        { name: 'a', emptyDir: { medium: 'Memory' } },
        { name: 'c', emptyDir: {} },
      ],
      tolerations: [{ key: 'y' }],
      nodeSelector: { zone: 'b' },
      imagePullSecrets: [{ name: 't' }],
    },
  )
  expect(spec.volumes).toEqual([
    { name: 'a', emptyDir: { sizeLimit: '1Gi', medium: 'Memory' } },
    { name: 'b', emptyDir: {} },
    { name: 'c', emptyDir: {} },
  ])
  expect(spec.tolerations).toEqual([{ key: 'y' }])
  expect(spec.nodeSelector).toEqual({ disk: 'ssd', zone: 'b' })
  expect(spec.imagePullSecrets).toEqual([{ name: 's' }, { name: 't' }])
})

test('a variable or volume of another kind replaces the one of its name', () => {
  const main = (env: object[]) => ({ containers: [{ name: 'tailrace', env }] })
  const spec = specOf(
    { ...main([{ name: 'A', value: '1' }]), volumes: [{ name: 'v', emptyDir: {} }] },
    { ...main([{ name: 'A', valueFrom: { secretKeyRef: {} } }]), volumes: [{ name: 'v', configMap: { name: 'c' } }] },
  )
  expect(spec.containers[0].env).toEqual([{ name: 'A', valueFrom: { secretKeyRef: {} } }])
  expect(spec.volumes).toEqual([{ name: 'v', configMap: { name: 'c' } }])
})

test('null takes away, labels and annotations merge, the rest of metadata is left out', () => {
  const merged = mergePodTemplates(
    { metadata: { name: 'pod-template', labels: { a: '1' } }, spec: { hostNetwork: true, priorityClassName: 'p' } },
    { metadata: { labels: { b: '2' }, annotations: { c: '3' } }, spec: { hostNetwork: null } },
  )
  expect(merged).toEqual({
    metadata: { labels: { a: '1', b: '2' }, annotations: { c: '3' } },
    spec: { priorityClassName: 'p', containers: [{ name: 'tailrace' }] },
  })
})

test('what is merged stays as it was', () => {
  const lower = { spec: { containers: [{ name: 'tailrace', env: [{ name: 'A', value: '1' }] }] } }
  const before = structuredClone(lower)
  mergePodTemplates(lower, { spec: { containers: [{ name: 'tailrace', env: [{ name: 'A', value: '2' }] }] } })
  expect(lower).toEqual(before)
})
