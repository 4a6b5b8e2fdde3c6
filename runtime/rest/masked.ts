/** Keeps secrets out of answers. */

const SECRET = /password|passphrase|secret|token|sasl|api-?key|credential|http-headers/i

/** Hides values whose keys say that they are secret. */
export function masked(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, SECRET.test(key) ? '******' : value]))
}
