/** What docs/security.md tells one to type makes certificates that processes take. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeCertificates } from './certificates.suite.ts'
import { internalTls } from './internal-tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'documented-'))
const made = makeCertificates()
afterAll(() => {
  made?.remove()
  rmSync(folder, { recursive: true })
})

const page = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text!)

/** `key: value` of each line, with files in the folder and the password that the commands set. */
const options = (text: string) =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(': ') as [string, string])
      .map(([key, value]) => [key, value.replace('/certs', folder).replace('${KEYSTORE_PASSWORD}', 'secret')]),
  )

// Needs the command openssl, as the suite for certificates does.
test.skipIf(made === undefined)('the commands of the documentation make certificates that a cluster can use', () => {
  for (const commands of blocks('sh')) execFileSync('sh', ['-e', '-c', commands], { cwd: folder, stdio: 'pipe' })
  const [pem, pkcs12] = blocks('yaml').map(options) as [Record<string, string>, Record<string, string>]
  expect(internalTls(pem)?.keystore).toBe(join(folder, 'node.pem'))
  const enabled = { 'security.ssl.internal.enabled': 'true' }
  expect(internalTls({ ...enabled, ...pkcs12 })?.keystore).toBe(join(folder, 'node.p12'))
  const [, command] = /`(openssl x509 [^`]*-fingerprint[^`]*)`/.exec(page)!
  const printed = execFileSync('sh', ['-c', command!], { cwd: folder, encoding: 'utf8' })
  const fingerprint = printed.trim().split('=')[1]!
  expect(internalTls({ ...pem, 'security.ssl.internal.cert.fingerprint': fingerprint })).toBeDefined()
})
