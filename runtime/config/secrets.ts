/** Keeps secrets out of answers, logs and errors: what is secret is told by its key. */

const SECRET =
  /password|passphrase|secret|token|sasl|jaas|api-?key|credential|authorization|http-?headers?|auth-params|basic-auth|(access|account|service)[.-]?key/i

const MASK = '******'

/** `security.redaction.additional-keys`: parts of keys that are secret too. */
export const REDACTED_KEYS = 'security.redaction.additional-keys'

export function isSecret(key: string): boolean {
  return SECRET.test(key)
}

/** A value as it may be shown under its key. */
export function shown(key: string, value: string): string {
  return isSecret(key) ? MASK : value
}

/**
 * Hides values whose keys say that they are secret.
 *
 * @example
 * masked({ 's3.secret-key': 'x', 's3.region': 'eu' }) // { 's3.secret-key': '******', 's3.region': 'eu' }
 */
export function masked(values: Readonly<Record<string, string>>): Record<string, string> {
  const more = (values[REDACTED_KEYS] ?? '').split(/[;,]/).flatMap((part) => part.trim().toLowerCase() || [])
  const isMore = (key: string) => more.some((part) => key.toLowerCase().includes(part))
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      isMore(key) && key !== REDACTED_KEYS ? MASK : shown(key, value),
    ]),
  )
}
