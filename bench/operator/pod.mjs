/**
 * Preload of an operator that is measured: what a pod finds around it. Names of Services lead to JobManagers that are played (TAILRACE_BENCH_SERVICES, an address), and the service account is
 * mounted from TAILRACE_BENCH_ACCOUNT.
 *
 * Plain JavaScript: in the operator's memory there is to be nothing that is not there in a pod.
 */
import dns from 'node:dns'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const MOUNTED = '/var/run/secrets/kubernetes.io/serviceaccount/'
const { TAILRACE_BENCH_SERVICES: address, TAILRACE_BENCH_ACCOUNT: account } = process.env

const { lookup } = dns
dns.lookup = (name, options, callback) => {
  if (!name.endsWith('.svc')) return lookup(name, options, callback)
  if (options.all) process.nextTick(callback, null, [{ address, family: 4 }])
  else process.nextTick(callback, null, address, 4)
}

const { readFile } = fs.promises
fs.promises.readFile = (path, ...rest) => readFile(String(path).replace(MOUNTED, `${account}/`), ...rest)
syncBuiltinESMExports()
