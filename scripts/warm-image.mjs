/**
 * Loads, while the image is built, what its commands load when they start, so that the compiled code of it is in the image's cache (NODE_COMPILE_CACHE). Wants /opt/tailrace as the image has it.
 *
 * Plain JavaScript without imports of this checkout: it runs by itself, in the image.
 */
import { globSync } from 'node:fs'
import { createRequire, flushCompileCache } from 'node:module'
import { pathToFileURL } from 'node:url'

const root = '/opt/tailrace'
const commands = globSync(
  `${root}/dist/runtime/{cli,processes,taskmanager,jobmanager,operators,connectors/*,formats/*}/*.js`,
)
// Starts as soon as it is loaded.
const starts = /\/(main|command|[\w-]+-(thread|worker))\.js$/
for (const file of commands.filter((file) => !starts.test(file))) await import(pathToFileURL(file).href)
const { resolve } = createRequire(`${root}/package.json`)
for (const name of ['@kubernetes/client-node', '@aws-sdk/client-s3', 'kafkajs', 'fastify'])
  await import(pathToFileURL(resolve(name)).href)
flushCompileCache()
process.exit(0)
